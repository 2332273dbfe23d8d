//! How many sockets and event streams one user, or one address, has open.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::id::UserId;

/// Whose a socket or stream is: an address's, as long as nobody has signed in on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Holder {
    User(UserId),
    Address(IpAddr),
}

/// The sockets and streams that are open, by whose they are.
#[derive(Clone, Default)]
pub struct Places(Arc<Mutex<HashMap<Holder, usize>>>);

/// One of somebody's places; given back when it is dropped.
pub struct Place {
    places: Places,
    holder: Holder,
}

impl Places {
    /// A place for one more, unless the holder has as many as allowed.
    pub fn take(&self, holder: Holder, most: usize) -> Option<Place> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = open.entry(holder).or_default();
        if *taken >= most {
            return None;
        }
        *taken += 1;
        Some(Place { places: self.clone(), holder })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = open.get_mut(&self.holder) {
            *taken -= 1;
            if *taken == 0 {
                open.remove(&self.holder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_place_can_be_taken_again_after_it_is_given_back() {
        let (places, user) = (Places::default(), Holder::User(UserId(Uuid::nil())));
        let first = places.take(user, 2).unwrap();
        let second = places.take(user, 2).unwrap();
        assert!(places.take(user, 2).is_none());
        assert!(places.take(Holder::User(UserId(Uuid::max())), 2).is_some());
        assert!(places.take(Holder::Address(IpAddr::from([192, 0, 2, 1])), 2).is_some());
        drop(first);
        let third = places.take(user, 2);
        assert!(third.is_some() && places.take(user, 2).is_none());
        drop((second, third));
        assert!(places.0.lock().unwrap().is_empty());
    }
}
