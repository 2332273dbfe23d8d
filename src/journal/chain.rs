//! The hash chain: what makes an edited, deleted, reordered or inserted event show.
//!
//! `hash = SHA-256(prev_hash ‖ seq ‖ content)`: 32 bytes, the number as eight big-endian bytes, and the digest of the
//! event's fields. Only the last of the three is known before the event has its place, and the rest is short enough to
//! be hashed where the head is locked: by the database itself, when that is PostgreSQL.
//! `content = SHA-256("praxis-journal-v2" ‖ fields)`, each field as one byte of presence and, when present, a
//! big-endian length and its bytes. The chain of a workspace starts at sequence 1 after [`GENESIS`].

use sha2::{Digest, Sha256};

use super::entity::Model;
use sea_orm::ActiveEnum;

/// The `prev_hash` of a chain's first event.
pub const GENESIS: [u8; 32] = [0; 32];

/// The hash of an event that has its place, given the hash before it.
pub fn hash(prev_hash: &[u8], event: &Model) -> Vec<u8> {
    link(prev_hash, event.seq, &content(event))
}

/// The hash of the event with this number and content, given the hash before it.
pub fn link(prev_hash: &[u8], seq: i64, content: &[u8; 32]) -> Vec<u8> {
    let link = Sha256::new().chain_update(prev_hash).chain_update(seq.to_be_bytes()).chain_update(content);
    link.finalize().to_vec()
}

/// The digest of everything that an event says, wherever it stands in its chain.
pub fn content(event: &Model) -> [u8; 32] {
    let mut hasher = Hasher(Sha256::new_with_prefix(b"praxis-journal-v2"));
    hasher.present(event.workspace_id.0.as_bytes());
    hasher.present(event.id.0.as_bytes());
    hasher.present(&event.occurred_at.timestamp_micros().to_be_bytes());
    hasher.present(event.kind.to_value().as_bytes());
    hasher.present(event.action.as_bytes());
    hasher.field(event.actor_user_id.as_ref().map(|id| id.0.as_bytes().as_slice()));
    hasher.field(event.actor_membership_id.as_ref().map(|id| id.0.as_bytes().as_slice()));
    hasher.field(event.actor_role.map(|role| role.to_value()).as_deref().map(str::as_bytes));
    hasher.field(event.auth_session_id.as_ref().map(|id| id.0.as_bytes().as_slice()));
    hasher.field(event.subject_type.as_deref().map(str::as_bytes));
    hasher.field(event.subject_id.as_ref().map(|id| id.as_bytes().as_slice()));
    hasher.field(event.patient_id.as_ref().map(|id| id.0.as_bytes().as_slice()));
    hasher.field(event.request_id.as_deref().map(str::as_bytes));
    hasher.field(event.ip.as_deref().map(str::as_bytes));
    hasher.field(event.user_agent.as_deref().map(str::as_bytes));
    hasher.field(event.purpose.as_deref().map(str::as_bytes));
    hasher.field(event.reason.as_deref().map(str::as_bytes));
    hasher.present(event.detail.as_bytes());
    hasher.field(event.changes.as_ref().map(|sealed| sealed.0.as_slice()));
    hasher.0.finalize().into()
}

struct Hasher(Sha256);

impl Hasher {
    fn present(&mut self, bytes: &[u8]) {
        self.field(Some(bytes));
    }

    fn field(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            None => self.0.update([0]),
            Some(bytes) => {
                self.0.update([1]);
                self.0.update((bytes.len() as u64).to_be_bytes());
                self.0.update(bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_the_hash_before_the_number_and_the_content() {
        let joined = [[1; 32].as_slice(), &[0, 0, 0, 0, 0, 0, 1, 2], &[3; 32]].concat();
        assert_eq!(link(&[1; 32], 258, &[3; 32]), Sha256::digest(joined).to_vec());
    }
}
