//! Rate limits, in memory, for each node: requests of an address that nobody has signed in from, attempts with a
//! secret, and the cost points of a user and of a workspace.

use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use super::sessions::Identity;
use crate::config::RateLimits;
use crate::error::{Error, Result};
use crate::id::{UserId, WorkspaceId};
use crate::metrics;

const MINUTE: Duration = Duration::from_secs(60);
/// After how many charges a limiter looks for keys that are as good as new and forgets them.
const SWEEP: u64 = 16_384;

/// All limits of a node.
pub struct Throttle {
    limiters: Option<Limiters>,
}

struct Limiters {
    anonymous: Limiter<IpAddr>,
    attempts: Limiter<IpAddr>,
    user: Limiter<UserId>,
    workspace: Limiter<WorkspaceId>,
}

/// What became of a charge. Over HTTP it goes into the response's extensions, and the headers follow from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Charge {
    /// Where each limit that applies stands now.
    pub standings: Vec<Standing>,
    /// How long to wait, when the charge was refused.
    pub refused: Option<Duration>,
}

/// Where one limit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The limit's name: `anonymous`, `sign-in`, `user`, `workspace`.
    pub policy: &'static str,
    /// Points for each minute.
    pub per_minute: u32,
    /// What may be spent now.
    pub remaining: u32,
    /// How long until nothing is spent any more.
    pub reset: Duration,
}

impl Throttle {
    pub fn new(limits: &RateLimits) -> Self {
        let limiters = limits.rate_limits.then(|| Limiters {
            anonymous: Limiter::new(
                "anonymous",
                limits.anonymous_requests_per_minute,
                half(limits.anonymous_requests_per_minute),
            ),
            attempts: Limiter::new(
                "sign-in",
                limits.sign_in_attempts_per_minute,
                limits.sign_in_attempts_per_minute,
            ),
            user: Limiter::new("user", limits.user_points_per_minute, limits.user_points_per_minute),
            workspace: Limiter::new(
                "workspace",
                limits.workspace_points_per_minute,
                limits.workspace_points_per_minute,
            ),
        });
        Self { limiters }
    }

    /// Charges an operation's cost to its user and to the workspace.
    pub fn charge(&self, identity: &Identity, points: u64) -> Charge {
        let points = u32::try_from(points).unwrap_or(u32::MAX);
        let mut charge = Charge::default();
        let Some(limiters) = &self.limiters else { return charge };
        charge.add(limiters.user.spend(&identity.user, points));
        if let (None, Some(actor)) = (charge.refused, &identity.actor) {
            charge.add(limiters.workspace.spend(&actor.workspace, points));
        }
        charge
    }

    /// Charges points to a user, and not to the workspace.
    pub fn charge_user(&self, identity: &Identity, points: u64) -> Charge {
        let points = u32::try_from(points).unwrap_or(u32::MAX);
        let mut charge = Charge::default();
        if let Some(limiters) = &self.limiters {
            charge.add(limiters.user.spend(&identity.user, points));
        }
        charge
    }

    /// Charges what an operation turned out to cost beyond what it was charged: of that, what there is left.
    pub fn charge_more(&self, identity: &Identity, points: u64) {
        let points = u32::try_from(points).unwrap_or(u32::MAX);
        let Some(limiters) = &self.limiters else { return };
        limiters.user.spend_up_to(&identity.user, points);
        if let Some(actor) = &identity.actor {
            limiters.workspace.spend_up_to(&actor.workspace, points);
        }
    }

    /// Charges one request to an address from which nobody has signed in.
    pub fn charge_anonymous(&self, ip: IpAddr) -> Charge {
        let mut charge = Charge::default();
        if let Some(limiters) = &self.limiters {
            charge.add(limiters.anonymous.spend(&block(ip), 1));
        }
        charge
    }

    /// Charges one attempt with a password or a token to the address it comes from.
    pub fn attempt(&self, ip: Option<IpAddr>) -> Result<()> {
        let (Some(limiters), Some(ip)) = (&self.limiters, ip) else { return Ok(()) };
        let mut charge = Charge::default();
        charge.add(limiters.attempts.spend(&block(ip), 1));
        charge.permit()
    }
}

impl Charge {
    /// The charge as a result: `RateLimited` when it was refused.
    pub fn permit(&self) -> Result<()> {
        self.refused.map_or(Ok(()), |wait| {
            Err(Error::RateLimited {
                retry_after_seconds: u32::try_from(whole_seconds(wait)).unwrap_or(u32::MAX),
            })
        })
    }

    fn add(&mut self, (standing, refused): (Standing, Option<Duration>)) {
        if refused.is_some() {
            metrics::rate_limited(standing.policy);
            self.refused = refused;
        }
        self.standings.push(standing);
    }
}

/// A wait in seconds, never too short.
pub fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// Whoever has one IPv6 address has its whole block of 2^64.
pub fn block(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

fn half(whole: NonZeroU32) -> NonZeroU32 {
    NonZeroU32::new(whole.get().div_ceil(2)).unwrap_or(NonZeroU32::MIN)
}

/// One limit, with an account for each key that was used in the last minute.
struct Limiter<K: Hash + Eq + Clone> {
    policy: &'static str,
    per_minute: NonZeroU32,
    burst: NonZeroU32,
    accounts: RateLimiter<K, DashMapStateStore<K>, DefaultClock, StateInformationMiddleware>,
    charges: AtomicU64,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    fn new(policy: &'static str, per_minute: NonZeroU32, burst: NonZeroU32) -> Self {
        // governor's rate is given by the time for one: a minute's share, at least a nanosecond.
        let one = MINUTE / per_minute.get();
        let quota =
            Quota::with_period(one).expect("a minute has a share for each of 2^32 points").allow_burst(burst);
        let accounts = RateLimiter::keyed(quota).with_middleware();
        Self { policy, per_minute, burst, accounts, charges: AtomicU64::new(0) }
    }

    /// Spends points of the key; when there are not enough, spends none and says how long to wait. What costs more
    /// than can ever be saved up costs all of it.
    fn spend(&self, key: &K, points: u32) -> (Standing, Option<Duration>) {
        self.sweep();
        let points = NonZeroU32::new(points).unwrap_or(NonZeroU32::MIN).min(self.burst);
        let one = MINUTE / self.per_minute.get();
        let (remaining, refused) = match self.accounts.check_key_n(key, points) {
            Ok(Ok(state)) => (state.remaining_burst_capacity(), None),
            Ok(Err(until)) => (0, Some(until.wait_time_from(self.accounts.clock().now()))),
            // Cannot be: no more than the burst is asked for.
            Err(_) => (0, Some(MINUTE)),
        };
        let reset = one * self.burst.get().saturating_sub(remaining);
        let standing = Standing { policy: self.policy, per_minute: self.per_minute.get(), remaining, reset };
        (standing, refused)
    }

    /// Spends so many points of the key, or nearly all that are left.
    fn spend_up_to(&self, key: &K, mut points: u32) {
        while points > 0 {
            match self.spend(key, points) {
                (_, None) => return,
                _ => points /= 2,
            }
        }
    }

    /// Forgets, once in a while, the keys that have nothing spent.
    fn sweep(&self) {
        if self.charges.fetch_add(1, Ordering::Relaxed) % SWEEP == SWEEP - 1 {
            self.accounts.retain_recent();
            self.accounts.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(per_minute: u32, burst: u32) -> Limiter<u64> {
        Limiter::new("test", NonZeroU32::new(per_minute).unwrap(), NonZeroU32::new(burst).unwrap())
    }

    #[test]
    fn what_is_spent_is_gone_until_its_time_has_passed() {
        let limiter = limiter(60, 30);
        let (standing, refused) = limiter.spend(&1, 20);
        assert_eq!((standing.remaining, refused), (10, None));
        assert_eq!(standing.reset, Duration::from_secs(20));
        let (standing, refused) = limiter.spend(&1, 11);
        assert_eq!(standing.remaining, 0);
        let wait = refused.unwrap();
        assert!(wait > Duration::from_millis(500) && wait <= Duration::from_secs(1), "{wait:?}");
        // What was refused cost nothing, and nobody else paid for it.
        assert_eq!(limiter.spend(&1, 10).1, None);
        assert_eq!(limiter.spend(&2, 30).1, None);
    }

    #[test]
    fn what_costs_more_than_there_ever_is_can_be_had_once_in_a_while() {
        let limiter = limiter(6_000, 100);
        assert_eq!(limiter.spend(&1, u32::MAX).1, None);
        assert!(limiter.spend(&1, 1).1.is_some());
    }

    #[test]
    fn what_is_charged_afterwards_takes_what_is_left() {
        let limiter = limiter(60, 30);
        limiter.spend_up_to(&1, 0);
        limiter.spend_up_to(&1, 10);
        assert_eq!(limiter.spend(&1, 1).0.remaining, 19);
        limiter.spend_up_to(&1, 1_000);
        assert!(limiter.spend(&1, 15).1.is_some(), "at most half of it is left");
    }

    #[test]
    fn keys_with_nothing_spent_are_forgotten() {
        // Ten thousand points a second: a key has nothing spent after a tenth of a millisecond.
        let limiter = limiter(600_000, 100);
        for key in 0..200_000 {
            limiter.spend(&key, 1);
        }
        assert!(limiter.accounts.len() <= SWEEP as usize, "{}", limiter.accounts.len());
    }

    #[test]
    fn an_address_stands_for_all_that_its_owner_has() {
        let same = |one: &str, other: &str| block(one.parse().unwrap()) == block(other.parse().unwrap());
        assert!(same("2001:db8:1:2::3", "2001:db8:1:2:ffff::1"));
        assert!(!same("2001:db8:1:2::3", "2001:db8:1:3::3"));
        assert!(same("192.0.2.1", "::ffff:192.0.2.1"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
    }

    #[test]
    fn a_wait_is_never_told_too_short() {
        for (wait, seconds) in [(0, 0), (1, 1), (999, 1), (1_000, 1), (1_001, 2)] {
            assert_eq!(whole_seconds(Duration::from_millis(wait)), seconds);
        }
    }
}
