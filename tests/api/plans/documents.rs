//! The lists and loaders whose plans are looked at: here with few rows, by `load plans` with a million.

/// Tables that do not grow with the patients of a practice, so reading them whole costs nothing.
pub const SMALL: [&str; 1] = ["workspaces"];

/// Whether this line of SQLite's plan says that a table is read whole that grows.
pub fn is_whole(line: &str) -> bool {
    // What a subquery answers is no table.
    let no_table = ["ranked", "subquery", "CONSTANT"].iter().chain(&SMALL).any(|it| line.contains(it));
    line.starts_with("SCAN ") && !no_table
}

/// What each is called, and its document. The variables are the same for all.
pub const DOCUMENTS: [(&str, &str); 24] = [
    (
        "one appointment",
        "query($id: ID!) { appointment(id: $id) { id reason patient { id displayName } \
        practitioner { id email } service { id equipment { id } } location { id } room { id location { id } } \
        series { id } history { id } reminders { id } ics } }",
    ),
    ("appointments", "{ appointments { totalCount nodes { id patient { id } } } }"),
    ("appointments, the last", "{ appointments(orderBy: STARTS_AT_DESC, last: 5) { nodes { id } } }"),
    (
        "a practitioner's days",
        "query($practitioner: ID!, $from: DateTime!, $to: DateTime!) { appointments(first: 50, \
        filter: { practitionerId: $practitioner, from: $from, to: $to }) { nodes { id service { id } } } }",
    ),
    (
        "a patient's appointments",
        "query($patient: ID!) { appointments(filter: { patientId: $patient }) { nodes { id } } }",
    ),
    (
        "a room's appointments",
        "query($room: ID!, $from: DateTime!, $to: DateTime!) { appointments(\
        filter: { roomId: $room, from: $from, to: $to }) { nodes { id } } }",
    ),
    (
        "a service's appointments",
        "query($service: ID!, $from: DateTime!, $to: DateTime!) { appointments(\
        filter: { serviceId: $service, from: $from, to: $to }) { nodes { id } } }",
    ),
    (
        "the newest patients",
        "{ patients(orderBy: NEWEST, first: 20) { nodes { id displayName appointments(first: 10, \
        orderBy: STARTS_AT_DESC) { nodes { id practitioner { id } } } familyHistory { id } } } }",
    ),
    ("patients by name", "{ patients(search: \"nor\") { totalCount nodes { id lastName } } }"),
    (
        "one patient",
        "query($patient: ID!) { patient(id: $patient) { id lastName appointments(last: 3) { nodes { id } } } \
        possibleDuplicates(patientId: $patient) { id } }",
    ),
    (
        "nodes",
        "query($id: ID!, $patient: ID!, $service: ID!, $practitioner: ID!, $room: ID!) { \
        nodes(ids: [$id, $patient, $service, $practitioner, $room]) { id } }",
    ),
    ("members", "{ members { totalCount nodes { id email } } }"),
    ("doctors", "{ members(role: DOCTOR) { nodes { id } } }"),
    ("services", "{ services(includeArchived: true) { totalCount nodes { id equipment { id } } } }"),
    ("locations", "{ locations { totalCount nodes { id } } }"),
    ("rooms", "{ rooms { totalCount nodes { id location { id } } } }"),
    ("equipment", "{ equipment { totalCount nodes { id } } }"),
    ("weekly schedules", "{ weeklySchedules { totalCount nodes { id } } }"),
    ("exceptions", "{ scheduleExceptions { totalCount nodes { id } } }"),
    (
        "slots",
        "query($service: ID!, $from: DateTime!, $to: DateTime!) { availableSlots(input: { serviceId: $service, \
        from: $from, to: $to }) { slots { startsAt } } }",
    ),
    (
        "calendar",
        "query($from: DateTime!, $to: DateTime!) { calendar(from: $from, to: $to) { practitioners { \
        practitioner { id } appointments { id patient { id } } } } }",
    ),
    (
        "statistics",
        "query($from: DateTime!, $to: DateTime!) { appointmentStatistics(from: $from, to: $to) { total } }",
    ),
    (
        "the journal",
        "query($patient: ID!) { auditEvents { nodes { id } } \
        ofPatient: auditEvents(filter: { patientId: $patient }) { nodes { id } } }",
    ),
    (
        "waitlist, feeds, sessions",
        "{ waitlist { nodes { id } } calendarFeeds { nodes { id } } \
        authSessions { nodes { id } } workspace { id } viewer { id } feedPosition { cursor } }",
    ),
];
