//! How many sockets and event streams one user has open.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::id::UserId;

/// The sockets and streams that are open, by user.
#[derive(Clone, Default)]
pub struct Places(Arc<Mutex<HashMap<UserId, u32>>>);

/// One of a user's places; given back when it is dropped.
pub struct Place {
    places: Places,
    user: UserId,
}

impl Places {
    /// A place for one more, unless the user has as many as allowed.
    pub fn take(&self, user: UserId, most: u32) -> Option<Place> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = open.entry(user).or_default();
        if *taken >= most {
            return None;
        }
        *taken += 1;
        Some(Place { places: self.clone(), user })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = open.get_mut(&self.user) {
            *taken -= 1;
            if *taken == 0 {
                open.remove(&self.user);
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
        let (places, user) = (Places::default(), UserId(Uuid::nil()));
        let first = places.take(user, 2).unwrap();
        let second = places.take(user, 2).unwrap();
        assert!(places.take(user, 2).is_none());
        assert!(places.take(UserId(Uuid::max()), 2).is_some());
        drop(first);
        let third = places.take(user, 2);
        assert!(third.is_some() && places.take(user, 2).is_none());
        drop((second, third));
        assert!(places.0.lock().unwrap().is_empty());
    }
}
