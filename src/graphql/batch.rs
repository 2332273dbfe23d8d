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
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

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

/// Runs a request's future and the batches that it waits for.
pub async fn drive<T>(call: &Arc<Call>, request: impl Future<Output = T>) -> T {
    let mut request = pin!(request);
    let mut running = FuturesUnordered::new();
    poll_fn(|context| {
        loop {
            if let Poll::Ready(value) = request.as_mut().poll(context) {
                return Poll::Ready(value);
            }
            let mut progressed = false;
            while let Poll::Ready(Some(())) = running.poll_next_unpin(context) {
                progressed = true;
            }
            if progressed {
                continue;
            }
            if running.is_empty() {
                running.extend(call.batches.take(call));
                if !running.is_empty() {
                    continue;
                }
            }
            return Poll::Pending;
        }
    })
    .await
}
