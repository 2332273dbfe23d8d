// The tabs that a new visitor finds: one operation of each kind, ready to run in the demo workspace.

import welcome from "../operations/samples/Welcome.graphql?raw";
import signIn from "../operations/session/SignIn.graphql?raw";
import searchPatients from "../operations/samples/SearchPatients.graphql?raw";
import calendarWeek from "../operations/samples/CalendarWeek.graphql?raw";
import freeTimes from "../operations/samples/FreeTimes.graphql?raw";
import practiceCalendar from "../operations/samples/PracticeCalendar.graphql?raw";
import utilisation from "../operations/samples/Utilisation.graphql?raw";
import bookAppointment from "../operations/samples/BookAppointment.graphql?raw";
import followAppointments from "../operations/samples/FollowAppointments.graphql?raw";

const DAY_MS = 24 * 60 * 60 * 1000;

function startOfWeek() {
  const day = new Date();
  day.setHours(0, 0, 0, 0);
  day.setDate(day.getDate() - ((day.getDay() + 6) % 7));
  return day;
}

const tab = (query, variables) => ({ query, variables: variables && JSON.stringify(variables, null, 2) });

export function sampleTabs() {
  const monday = startOfWeek();
  const nextMonday = new Date(monday);
  nextMonday.setDate(monday.getDate() + 7);
  const slot = new Date(monday.getTime() + 8 * DAY_MS + 10 * 60 * 60 * 1000);
  return [
    tab(welcome),
    tab(searchPatients, { search: "an" }),
    tab(calendarWeek, { from: monday.toISOString(), to: nextMonday.toISOString() }),
    tab(freeTimes, {
      input: {
        durationMinutes: 30,
        from: new Date().toISOString(),
        to: new Date(Date.now() + 7 * DAY_MS).toISOString(),
        limit: 20,
        anyPractitioner: true,
      },
    }),
    tab(practiceCalendar, { from: monday.toISOString(), to: nextMonday.toISOString() }),
    tab(utilisation, { from: monday.toISOString(), to: nextMonday.toISOString() }),
    tab(bookAppointment, {
      input: {
        patientId: "pat_…",
        practitionerId: "mem_…",
        serviceId: "svc_…",
        startsAt: slot.toISOString(),
        idempotencyKey: crypto.randomUUID(),
      },
    }),
    tab(followAppointments),
    tab(signIn, { input: { email: "", password: "" } }),
  ];
}
