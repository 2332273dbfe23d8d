//! The directory: what is needed to search and sort the patients of a workspace, decrypted and in memory.
//!
//! Nothing at rest helps to search encrypted names, because whatever helps to search leaks. Each node builds
//! the directory of a workspace at its first use and keeps it current from the journal, which tells of every
//! write on whichever node. It is dropped when nobody has used it for a while.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use moka::sync::Cache;
use sea_orm::prelude::DateTimeUtc;
use sea_orm::{ColumnTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::chart::read;
use super::entity::{Column, Entity};
use crate::access::actor::Actor;
use crate::app::App;
use crate::crypto::keys::{KeyOf, PatientCipher};
use crate::crypto::sealed::Sealed;
use crate::db::tx::Tx;
use crate::error::{Error, Result};
use crate::graphql::input::fold;
use crate::graphql::page::{Key, Page};
use crate::id::{PatientId, WorkspaceId};
use crate::journal::entity::{self as event, AuditKind};
use crate::journal::head;
use crate::member::entity::Role;

/// Workspaces whose directories are kept at the same time.
const WORKSPACES: u64 = 64;
/// How long an unused directory is kept.
const IDLE: Duration = Duration::from_secs(30 * 60);
/// Patients that are read and opened at a time.
const BATCH: usize = 500;
/// The tables whose writes concern the directory: the charts, and what takes a chart's key away.
const TABLES: [&str; 3] = ["patients", "patient_keys", "data_deletion_requests"];
/// A shorter run of digits is no telephone number worth looking for.
const LEAST_DIGITS: usize = 3;

/// The directories of the workspaces in use on this node.
pub struct Directories(Cache<WorkspaceId, Arc<Mutex<Option<Directory>>>>);

impl Default for Directories {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(WORKSPACES).time_to_idle(IDLE).build())
    }
}

impl Directories {
    /// The directory of the transaction's workspace, at least as recent as the transaction.
    ///
    /// It tells of all patients of the workspace: whoever shows some of them confines them to the actor.
    pub async fn current(&self, app: &App, tx: &Tx) -> Result<Directory> {
        let reader = Reader { app, tx, system: Actor::system(tx.workspace()?, "directory") };
        let slot = self.0.get_with(reader.system.workspace, Arc::default);
        // Held while building: whoever comes meanwhile waits for this one instead of building another.
        let mut known = slot.lock().await;
        // Read before the patients: a write in between is read twice rather than missed.
        let head = reader.head().await?;
        let current = match &*known {
            Some(directory) if directory.seq >= head => return Ok(directory.clone()),
            Some(directory) => reader.refresh(directory, head).await?,
            None => reader.build(head).await?,
        };
        *known = Some(current.clone());
        Ok(current)
    }
}

impl fmt::Debug for Directories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Directories({} workspaces)", self.0.entry_count())
    }
}

/// A snapshot of the patients of one workspace, in the order of their names.
#[derive(Clone)]
pub struct Directory {
    /// The journal's last event that it knows of.
    seq: i64,
    entries: Arc<Vec<Arc<Entry>>>,
}

struct Entry {
    id: PatientId,
    /// Folded, and with the first name what patients are sorted by.
    last_name: String,
    first_name: String,
    /// All names, folded, to search in.
    names: String,
    email: String,
    /// The digits of the telephone number.
    phone: String,
    birth_date: Option<NaiveDate>,
    archived: bool,
}

/// The order of a list of patients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, async_graphql::Enum)]
pub enum PatientOrder {
    /// By last name, then first name, without regard to case and accents.
    Name,
    /// The most recently created first.
    Newest,
}

/// Which patients are looked for.
pub struct Criteria {
    words: Vec<String>,
    include_archived: bool,
    own: Option<PatientId>,
}

impl Criteria {
    /// Every word of the folded text must occur.
    pub fn new(actor: &Actor, folded: &str, include_archived: bool) -> Self {
        let words = folded.split(' ').filter(|word| !word.is_empty()).map(Into::into).collect();
        Self { words, include_archived, own: own(actor) }
    }

    fn admits(&self, entry: &Entry) -> bool {
        (self.include_archived || !entry.archived)
            && self.own.is_none_or(|own| own == entry.id)
            && self.words.iter().all(|word| entry.has(word))
    }
}

/// The only chart that this actor may find.
fn own(actor: &Actor) -> Option<PatientId> {
    (actor.role == Role::Patient).then(|| actor.patient.unwrap_or(PatientId(Uuid::nil())))
}

/// Patients that were found.
pub struct Found {
    /// One more than the page has, when there are more; in the order in which the page reads them.
    pub ids: Vec<PatientId>,
    /// How many there are on all pages.
    pub total: u64,
}

impl Directory {
    /// One page of those who meet the criteria. A position in the list is a patient's id.
    pub fn find(&self, criteria: &Criteria, order: PatientOrder, page: &Page) -> Result<Found> {
        let compare = |one: &Entry, other: &Entry| match order {
            PatientOrder::Name => one.by_name(other),
            PatientOrder::Newest => other.id.cmp(&one.id),
        };
        let mut found: Vec<&Entry> =
            self.entries.iter().map(|entry| &**entry).filter(|entry| criteria.admits(entry)).collect();
        if order == PatientOrder::Newest {
            found.sort_unstable_by(|one, other| compare(one, other));
        }
        let total = found.len() as u64;
        let from = match &page.after {
            Some(position) => {
                let at = self.at(position)?;
                found.partition_point(|entry| compare(entry, at) != Ordering::Greater)
            }
            None => 0,
        };
        let to = match &page.before {
            Some(position) => {
                let at = self.at(position)?;
                found.partition_point(|entry| compare(entry, at) == Ordering::Less)
            }
            None => found.len(),
        };
        let window = found.get(from..to).unwrap_or_default().iter().map(|entry| entry.id);
        let ids = match page.backwards {
            true => window.rev().take(page.size + 1).collect(),
            false => window.take(page.size + 1).collect(),
        };
        Ok(Found { ids, total })
    }

    /// Others who may be the same person: the same name and birth date, e-mail address or telephone number.
    pub fn duplicates(&self, actor: &Actor, patient: PatientId, most: usize) -> Vec<PatientId> {
        let Some(this) = self.entries.iter().find(|entry| entry.id == patient) else { return Vec::new() };
        let own = own(actor);
        self.entries
            .iter()
            .filter(|other| {
                other.id != patient && own.is_none_or(|own| own == other.id) && this.resembles(other)
            })
            .map(|other| other.id)
            .take(most)
            .collect()
    }

    fn at(&self, position: &[Key]) -> Result<&Entry> {
        let [Key::Id(id)] = position else {
            return Err(Error::invalid_argument("after", "This cursor does not belong to this list."));
        };
        // An erased patient has no place in the order of names any more.
        self.entries.iter().find(|entry| entry.id.0 == *id).map(|entry| &**entry).ok_or(Error::CursorExpired)
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Directory({} patients up to event {})", self.entries.len(), self.seq)
    }
}

impl Entry {
    fn open(cipher: &PatientCipher, row: &Row) -> Result<Self> {
        let open = |column, sealed: &Sealed| cipher.open(row.id, column, sealed);
        let open_some = |column, sealed: &Option<Sealed>| match sealed {
            Some(sealed) => open(column, sealed),
            None => Ok(String::new()),
        };
        let first_name = fold(&open("first_name", &row.first_name)?);
        let last_name = fold(&open("last_name", &row.last_name)?);
        let middle_name = fold(&open_some("middle_name", &row.middle_name)?);
        let preferred_name = fold(&open_some("preferred_name", &row.preferred_name)?);
        let birth_date =
            row.birth_date.as_ref().map(|sealed| read(&open("birth_date", sealed)?)).transpose()?;
        Ok(Self {
            id: row.id,
            names: [first_name.as_str(), &middle_name, &last_name, &preferred_name].join(" "),
            last_name,
            first_name,
            email: fold(&open_some("email", &row.email)?),
            phone: digits(&open_some("phone", &row.phone)?),
            birth_date,
            archived: row.archived_at.is_some() || row.merged_into_id.is_some(),
        })
    }

    fn by_name(&self, other: &Self) -> Ordering {
        (&self.last_name, &self.first_name, self.id).cmp(&(&other.last_name, &other.first_name, other.id))
    }

    fn has(&self, word: &str) -> bool {
        self.names.contains(word)
            || self.email.contains(word)
            || self.has_digits(word)
            || self.birth_date.is_some_and(|date| word.parse() == Ok(date))
    }

    /// Whether the word is a part of a telephone number, and of this one.
    fn has_digits(&self, word: &str) -> bool {
        let looks_like_phone = word.chars().all(|c| c.is_ascii_digit() || "+-/.()".contains(c));
        looks_like_phone && {
            let wanted = digits(word);
            wanted.len() >= LEAST_DIGITS && self.phone.contains(&wanted)
        }
    }

    fn resembles(&self, other: &Self) -> bool {
        let same_person = self.birth_date.is_some()
            && self.birth_date == other.birth_date
            && self.last_name == other.last_name
            && self.first_name == other.first_name;
        same_person
            || (!self.email.is_empty() && self.email == other.email)
            || (!self.phone.is_empty() && self.phone == other.phone)
    }
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// The columns that an entry is made of.
#[derive(FromQueryResult)]
struct Row {
    id: PatientId,
    first_name: Sealed,
    last_name: Sealed,
    middle_name: Option<Sealed>,
    preferred_name: Option<Sealed>,
    email: Option<Sealed>,
    phone: Option<Sealed>,
    birth_date: Option<Sealed>,
    key_version: i32,
    archived_at: Option<DateTimeUtc>,
    merged_into_id: Option<PatientId>,
}

const COLUMNS: [Column; 11] = [
    Column::Id,
    Column::FirstName,
    Column::LastName,
    Column::MiddleName,
    Column::PreferredName,
    Column::Email,
    Column::Phone,
    Column::BirthDate,
    Column::KeyVersion,
    Column::ArchivedAt,
    Column::MergedIntoId,
];

/// Reads for the directory itself: all patients of the workspace, whoever asks.
struct Reader<'a> {
    app: &'a App,
    tx: &'a Tx,
    system: Actor,
}

impl Reader<'_> {
    async fn head(&self) -> Result<i64> {
        let head = self.system.find::<head::Entity>().one(self.tx).await?;
        Ok(head.map_or(0, |head| head.seq))
    }

    async fn build(&self, head: i64) -> Result<Directory> {
        let mut entries = Vec::new();
        let mut last = PatientId(Uuid::nil());
        loop {
            let rows = self
                .system
                .find::<Entity>()
                .filter(Column::Id.gt(last))
                .order_by_asc(Column::Id)
                .limit(BATCH as u64)
                .select_only()
                .columns(COLUMNS)
                .into_model::<Row>()
                .all(self.tx)
                .await?;
            let Some(end) = rows.last() else { break };
            last = end.id;
            self.open(rows, &mut entries).await?;
        }
        entries.sort_unstable_by(|one, other| one.by_name(other));
        Ok(Directory { seq: head, entries: Arc::new(entries) })
    }

    /// Reads again whoever was written since.
    async fn refresh(&self, known: &Directory, head: i64) -> Result<Directory> {
        let written = self.written(known.seq, head).await?;
        if written.is_empty() {
            return Ok(Directory { seq: head, entries: known.entries.clone() });
        }
        let gone: HashSet<PatientId> = written.iter().copied().collect();
        let mut entries: Vec<_> =
            known.entries.iter().filter(|entry| !gone.contains(&entry.id)).cloned().collect();
        for batch in written.chunks(BATCH) {
            let rows = self
                .system
                .find::<Entity>()
                .filter(Column::Id.is_in(batch.iter().copied()))
                .select_only()
                .columns(COLUMNS)
                .into_model::<Row>()
                .all(self.tx)
                .await?;
            self.open(rows, &mut entries).await?;
        }
        // Stable, for it takes advantage of what is in order already.
        entries.sort_by(|one, other| one.by_name(other));
        Ok(Directory { seq: head, entries: Arc::new(entries) })
    }

    async fn written(&self, after: i64, head: i64) -> Result<Vec<PatientId>> {
        let query = self
            .system
            .find::<event::Entity>()
            .filter(event::Column::Kind.eq(AuditKind::Write))
            .filter(event::Column::Seq.gt(after))
            .filter(event::Column::Seq.lte(head))
            .filter(event::Column::SubjectType.is_in(TABLES))
            .filter(event::Column::PatientId.is_not_null())
            .select_only()
            .column(event::Column::PatientId)
            .distinct();
        Ok(query.into_tuple().all(self.tx).await?)
    }

    async fn open(&self, rows: Vec<Row>, entries: &mut Vec<Arc<Entry>>) -> Result<()> {
        let key = |row: &Row| {
            let version = u32::try_from(row.key_version).map_err(Error::internal)?;
            Ok::<_, Error>(KeyOf { patient: row.id, version })
        };
        let keys = rows.iter().map(key).collect::<Result<_>>()?;
        let ciphers = self.app.keys.load_passing(self.tx, &self.system, keys).await?;
        entries.reserve(rows.len());
        for row in &rows {
            // Without a key the patient was erased.
            let Some(cipher) = ciphers.get(&key(row)?) else { continue };
            match Entry::open(cipher, row) {
                Ok(entry) => entries.push(Arc::new(entry)),
                // One damaged chart does not take the search away from all others.
                Err(error) => tracing::error!(
                    patient = %row.id,
                    error = &error as &dyn std::error::Error,
                    "a chart cannot be opened and is left out of the directory"
                ),
            }
        }
        Ok(())
    }
}
