//! The data loader: batches the keys that a request asks for, level by level, without a timer.
//!
//! Resolvers ask [`Batches::load`] for one key each and wait. When the request's own future cannot go on
//! and no batch is running, every key asked for so far is known: [`drive`] then loads them in one go.
//! A loader lives as long as its request: nothing is shared between requests, so nothing leaks between
//! tenants or survives a change of rights.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::hash::Hash;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{self, Poll, Wake, Waker};

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::oneshot;

use super::context::Call;
use crate::error::{Error, Result};

/// A key that values are loaded by, many at a time.
pub trait BatchKey: Clone + Eq + Hash + Send + Sync + 'static {
    type Value: Clone + Send + Sync + 'static;

    /// Loads the values of these distinct keys; a key that has none is left out.
    fn load(call: &Call, keys: Vec<Self>) -> impl Future<Output = Result<HashMap<Self, Self::Value>>> + Send;
}

/// The keys asked for and not yet loaded.
#[derive(Default)]
pub struct Batches(Mutex<HashMap<TypeId, Box<dyn Pending>>>);

type Waiter<K> = (K, oneshot::Sender<Result<Option<<K as BatchKey>::Value>>>);
type Load = Pin<Box<dyn Future<Output = ()> + Send>>;

trait Pending: Send {
    fn as_any(&mut self) -> &mut dyn Any;
    fn run(self: Box<Self>, call: Arc<Call>) -> Load;
}

struct Waiting<K: BatchKey>(Vec<Waiter<K>>);

impl<K: BatchKey> Pending for Waiting<K> {
    fn as_any(&mut self) -> &mut dyn Any {
        self
    }

    fn run(self: Box<Self>, call: Arc<Call>) -> Load {
        Box::pin(async move {
            let mut keys: Vec<K> = Vec::with_capacity(self.0.len());
            let mut seen = std::collections::HashSet::with_capacity(self.0.len());
            for (key, _) in &self.0 {
                if seen.insert(key.clone()) {
                    keys.push(key.clone());
                }
            }
            let loaded = K::load(&call, keys).await;
            for (key, waiter) in self.0 {
                let value = match &loaded {
                    Ok(values) => Ok(values.get(&key).cloned()),
                    Err(error) => Err(error.clone()),
                };
                // A resolver that was dropped does not wait any more.
                let _ = waiter.send(value);
            }
        })
    }
}

impl Batches {
    /// The value of this key, loaded together with the others of its kind.
    pub async fn load<K: BatchKey>(&self, key: K) -> Result<Option<K::Value>> {
        let (sender, receiver) = oneshot::channel();
        {
            let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let waiting = pending
                .entry(TypeId::of::<K>())
                .or_insert_with(|| Box::new(Waiting::<K>(Vec::new())))
                .as_any()
                .downcast_mut::<Waiting<K>>()
                .expect("the entry of a key type waits for that key type");
            waiting.0.push((key, sender));
        }
        receiver.await.map_err(|_| Error::Unavailable("loader"))?
    }

    fn take(&self, call: &Arc<Call>) -> Vec<Load> {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pending.drain().map(|(_, waiting)| waiting.run(call.clone())).collect()
    }
}

/// How often a request that wakes itself is asked again before it lets others have their turn.
const ROUNDS: usize = 256;

/// Runs a request's future and the batches that it waits for.
pub async fn drive<T>(call: &Arc<Call>, request: impl Future<Output = T>) -> T {
    until_ready(request, || call.batches.take(call)).await
}

async fn until_ready<T>(request: impl Future<Output = T>, mut batches: impl FnMut() -> Vec<Load>) -> T {
    let mut request = pin!(request);
    let mut running = FuturesUnordered::new();
    poll_fn(|context| {
        let woken = Arc::new(Woken { is: AtomicBool::new(false), outer: context.waker().clone() });
        let waker = Waker::from(woken.clone());
        let mut inner = task::Context::from_waker(&waker);
        let mut rounds = 0;
        loop {
            if let Poll::Ready(value) = request.as_mut().poll(&mut inner) {
                return Poll::Ready(value);
            }
            let mut progressed = false;
            while let Poll::Ready(Some(())) = running.poll_next_unpin(&mut inner) {
                progressed = true;
            }
            if progressed {
                continue;
            }
            // More than thirty that wait together do not all have their turn at once: they ask for another. Until
            // they had it, not all keys are known.
            if woken.is.swap(false, Ordering::AcqRel) && rounds < ROUNDS {
                rounds += 1;
                continue;
            }
            if running.is_empty() {
                running.extend(batches());
                if !running.is_empty() {
                    continue;
                }
            }
            return Poll::Pending;
        }
    })
    .await
}

/// Wakes the request's task, and knows that it did.
struct Woken {
    is: AtomicBool,
    outer: Waker,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is.store(true, Ordering::Release);
        self.outer.wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use futures::future::try_join_all;

    use super::*;

    /// Asks for keys, and how many were loaded at once.
    #[derive(Clone, Default)]
    struct Loader {
        asked: Rc<RefCell<Vec<oneshot::Sender<()>>>>,
        sizes: Rc<RefCell<Vec<usize>>>,
    }

    impl Loader {
        async fn one(&self) -> Result<(), oneshot::error::RecvError> {
            let (sender, receiver) = oneshot::channel();
            self.asked.borrow_mut().push(sender);
            receiver.await
        }

        async fn run<T>(&self, request: impl Future<Output = T>) -> T {
            let load = || {
                let waiting = self.asked.take();
                if waiting.is_empty() {
                    return Vec::new();
                }
                self.sizes.borrow_mut().push(waiting.len());
                let load: Load = Box::pin(async move {
                    tokio::task::yield_now().await;
                    waiting.into_iter().for_each(|sender| sender.send(()).expect("somebody waits"));
                });
                vec![load]
            };
            until_ready(request, load).await
        }
    }

    #[tokio::test]
    async fn a_level_is_loaded_at_once_however_many_wait_in_it() {
        for (outer, inner) in [(3, 3), (40, 3), (3, 40), (40, 40), (100, 20)] {
            let loader = Loader::default();
            let object = |_| async {
                loader.one().await?;
                try_join_all((0..inner).map(|_| loader.one())).await
            };
            loader.run(try_join_all((0..outer).map(object))).await.unwrap();
            assert_eq!(*loader.sizes.borrow(), [outer, outer * inner], "{outer} {inner}");
        }
    }

    #[tokio::test]
    async fn a_request_that_only_ever_wakes_itself_lets_others_have_their_turn() {
        let endless = poll_fn(|context| {
            context.waker().wake_by_ref();
            Poll::<()>::Pending
        });
        let others = async {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = until_ready(endless, Vec::new) => unreachable!("it never ends"),
            () = others => {}
        }
    }
}
