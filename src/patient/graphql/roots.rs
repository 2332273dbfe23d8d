//! Queries and mutations of patients.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use sea_orm::PaginatorTrait;

use crate::access::permission::Permission;
use crate::error::Error;
use crate::graphql::context::ContextExt;
use crate::graphql::document::cost::list_size;
use crate::graphql::error::Result;
use crate::graphql::guard::requires;
use crate::graphql::join::Related;
use crate::graphql::page::{Binding, List, Page, PageArgs};
use crate::graphql::project::{self, Asked};
use crate::id::{FamilyHistoryId, PatientId};
use crate::journal::entity::AuditKind;
use crate::journal::event::Event;
use crate::patient::directory::PatientOrder;
use crate::patient::entity::ModelEx;
use crate::patient::input::{
    AddFamilyHistoryInput, ArchivePatientInput, CreatePatientInput, RemoveFamilyHistoryInput,
    UpdateFamilyHistoryInput, UpdatePatientInput,
};
use crate::patient::{commands, family_history, queries, relatives};

/// Which patients to list.
#[derive(Clone, Debug, Default, InputObject)]
pub struct PatientFilter {
    /// Lists archived patients as well.
    #[graphql(default)]
    include_archived: bool,
}

/// The patient that was created or changed.
pub struct PatientPayload(ModelEx);

/// The patient that was created or changed.
#[Object]
impl PatientPayload {
    /// The patient as it is now.
    async fn patient(&self) -> &ModelEx {
        &self.0
    }

    /// Other patients who may be the same person: the same name and date of birth, e-mail address or telephone
    /// number. At most 20. Families share addresses, so this is a hint and no error.
    #[graphql(directive = requires::apply(Permission::ReadPatients), directive = list_size::apply(20))]
    async fn possible_duplicates(&self, ctx: &Context<'_>) -> Result<Option<Vec<ModelEx>>> {
        let chosen = queries::SHAPE.choose(&Asked::of(ctx));
        Ok(Some(queries::duplicates(ctx.call(), self.0.id, &chosen).await?))
    }
}

/// The entry that was added or changed.
#[derive(SimpleObject)]
pub struct FamilyHistoryPayload {
    /// The entry as it is now.
    entry: family_history::ModelEx,
}

/// What is left after an entry was removed.
#[derive(SimpleObject)]
pub struct RemoveFamilyHistoryPayload {
    /// The id of the entry that is gone.
    removed_id: FamilyHistoryId,
    /// The patient whose history it was in.
    patient: ModelEx,
}

#[derive(Default)]
pub struct PatientQuery;

#[Object]
impl PatientQuery {
    /// One patient, or null when there is none that you may see.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    async fn patient(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The patient's id.")] id: PatientId,
    ) -> Result<Option<Related<'static, ModelEx>>> {
        Related::load(ctx, id).await
    }

    /// The patients of the practice. A search is recorded in the audit trail with the ids that it found.
    #[graphql(directive = requires::apply(Permission::ReadPatients))]
    #[expect(clippy::too_many_arguments, reason = "the paging arguments of the Relay specification")]
    async fn patients(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Only those in whom every word occurs: in a name or the e-mail address, without regard to case \
                    and accents; three digits or more in the telephone number; or a date of birth such as \
                    1980-04-30. At most 200 characters."
        )]
        search: Option<String>,
        #[graphql(desc = "Which patients to list.")] filter: Option<PatientFilter>,
        #[graphql(desc = "The order of the list.", default_with = "PatientOrder::Name")]
        order_by: PatientOrder,
        #[graphql(desc = "At most this many from the beginning: 1 to 100, 20 by default.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<List<ModelEx>> {
        let (call, actor) = (ctx.call(), ctx.actor()?);
        let include_archived = filter.unwrap_or_default().include_archived;
        let search = search.filter(|text| !text.trim().is_empty());
        let binding = Binding::new(actor.workspace, "patients", &(&search, include_archived, order_by));
        let page = Page::new(binding, PageArgs { first, after, last, before })?;
        let count = ctx.look_ahead().field("totalCount").exists();
        let chosen = queries::SHAPE.choose(&Asked::nodes(ctx));

        let (rows, total) = if search.is_none() && order_by == PatientOrder::Newest {
            let (query, tx) = (queries::list(&actor, include_archived), call.tx().await?);
            let total = if count { query.clone().count(&*tx).await? } else { 0 };
            let query = page.apply(query, &queries::NEWEST)?;
            (project::select(&queries::SHAPE, &chosen, query, &*tx).await?, total)
        } else {
            queries::search(call, search.as_deref(), include_archived, order_by, &page, &chosen).await?
        };
        Ok(page.connect(rows, queries::position, |row| row, count.then_some(total)))
    }

    /// Other patients who may be the same person: the same name and date of birth, e-mail address or telephone
    /// number. At most 20. Null when there is no such patient that you may see.
    #[graphql(directive = requires::apply(Permission::ReadPatients), directive = list_size::apply(20))]
    async fn possible_duplicates(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The patient to compare the others with.")] patient_id: PatientId,
    ) -> Result<Option<Vec<ModelEx>>> {
        let patient = ctx.call().load(patient_id).await?.ok_or(Error::NotFound)?;
        let chosen = queries::SHAPE.choose(&Asked::of(ctx));
        Ok(Some(queries::duplicates(ctx.call(), patient.id, &chosen).await?))
    }
}

#[derive(Default)]
pub struct PatientMutation;

#[Object]
impl PatientMutation {
    /// Creates a patient with an encryption key of their own. Clinical text needs WRITE_CLINICAL.
    #[graphql(directive = requires::apply(Permission::WritePatients))]
    async fn create_patient(
        &self,
        ctx: &Context<'_>,
        input: CreatePatientInput,
    ) -> Result<Option<PatientPayload>> {
        let key = ctx.idempotency(input.idempotency_key.as_deref())?;
        let created = commands::create(ctx.app(), &*ctx.actor()?, key.as_ref(), &input).await;
        let id = denied(ctx, "Mutation.createPatient", created)?;
        payload(ctx, id).await
    }

    /// Changes a patient's chart. Clinical text needs WRITE_CLINICAL, even to write what is there already.
    #[graphql(directive = requires::apply(Permission::WritePatients))]
    async fn update_patient(
        &self,
        ctx: &Context<'_>,
        input: UpdatePatientInput,
    ) -> Result<Option<PatientPayload>> {
        let updated = commands::update(ctx.app(), &*ctx.actor()?, &input).await;
        denied(ctx, "Mutation.updatePatient", updated)?;
        payload(ctx, input.id).await
    }

    /// Takes a patient off the lists. The chart stays, and so do its appointments.
    #[graphql(directive = requires::apply(Permission::ArchivePatients))]
    async fn archive_patient(
        &self,
        ctx: &Context<'_>,
        input: ArchivePatientInput,
    ) -> Result<Option<PatientPayload>> {
        commands::set_archived(ctx.app(), &*ctx.actor()?, &input, true).await?;
        payload(ctx, input.id).await
    }

    /// Puts an archived patient back on the lists.
    #[graphql(directive = requires::apply(Permission::ArchivePatients))]
    async fn restore_patient(
        &self,
        ctx: &Context<'_>,
        input: ArchivePatientInput,
    ) -> Result<Option<PatientPayload>> {
        commands::set_archived(ctx.app(), &*ctx.actor()?, &input, false).await?;
        payload(ctx, input.id).await
    }

    /// Adds an illness of a relative to a patient's family history.
    #[graphql(directive = requires::apply(Permission::WriteClinical))]
    async fn add_family_history(
        &self,
        ctx: &Context<'_>,
        input: AddFamilyHistoryInput,
    ) -> Result<Option<FamilyHistoryPayload>> {
        let key = ctx.idempotency(input.idempotency_key.as_deref())?;
        let id = relatives::add(ctx.app(), &*ctx.actor()?, key.as_ref(), &input).await?;
        entry(ctx, id).await
    }

    /// Changes an entry of a family history. The audit trail keeps what it said.
    #[graphql(directive = requires::apply(Permission::WriteClinical))]
    async fn update_family_history(
        &self,
        ctx: &Context<'_>,
        input: UpdateFamilyHistoryInput,
    ) -> Result<Option<FamilyHistoryPayload>> {
        relatives::update(ctx.app(), &*ctx.actor()?, &input).await?;
        entry(ctx, input.id).await
    }

    /// Takes an entry out of a family history. The audit trail keeps what it said.
    #[graphql(directive = requires::apply(Permission::WriteClinical))]
    async fn remove_family_history(
        &self,
        ctx: &Context<'_>,
        input: RemoveFamilyHistoryInput,
    ) -> Result<Option<RemoveFamilyHistoryPayload>> {
        let patient = relatives::remove(ctx.app(), &*ctx.actor()?, &input).await?;
        let patient = ctx.call().load(patient).await?.ok_or(Error::NotFound)?;
        Ok(Some(RemoveFamilyHistoryPayload { removed_id: input.id, patient }))
    }
}

/// Records that clinical text was refused: the guard knows of permissions for whole fields only.
fn denied<T>(ctx: &Context<'_>, field: &str, outcome: crate::error::Result<T>) -> Result<T> {
    if matches!(outcome, Err(Error::Forbidden)) {
        ctx.call().note(
            Event::by(&*ctx.actor()?, AuditKind::Denied, "permission.denied")
                .with("field", field)
                .with("permission", format!("{:?}", Permission::WriteClinical)),
        );
    }
    Ok(outcome?)
}

async fn payload(ctx: &Context<'_>, id: PatientId) -> Result<Option<PatientPayload>> {
    let patient = ctx.call().load(id).await?.ok_or(Error::NotFound)?;
    Ok(Some(PatientPayload(patient)))
}

async fn entry(ctx: &Context<'_>, id: FamilyHistoryId) -> Result<Option<FamilyHistoryPayload>> {
    let entry = ctx.call().load(id).await?.ok_or(Error::NotFound)?;
    Ok(Some(FamilyHistoryPayload { entry }))
}
