use async_graphql::parser::types::DocumentOperations;
use async_graphql::{EmptyMutation, EmptySubscription, Interface, Object, Response, Result, Schema};
use serde_json::json;

use super::*;
use crate::graphql::join::Related;

struct Person {
    name: &'static str,
    friends: Vec<Person>,
}

#[derive(Interface)]
#[graphql(field(name = "name", ty = "String"))]
enum Named {
    Person(Person),
}

#[Object]
impl Person {
    async fn name(&self) -> String {
        self.name.into()
    }

    /// Is not there at once.
    async fn motto(&self, #[graphql(default = 1)] turns: u32) -> String {
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        format!("{} after {turns}", self.name)
    }

    async fn friends(&self) -> Items<'_, Person> {
        Items(self.friends.iter().collect())
    }

    async fn first(&self) -> Option<Related<'_, Person>> {
        self.friends.first().map(Related::Joined)
    }

    async fn secret(&self) -> Result<Option<String>> {
        Err("hidden".into())
    }

    /// Fails for one of them.
    async fn age(&self) -> Result<i32> {
        tokio::task::yield_now().await;
        if self.name == "Cy" { Err("unknown".into()) } else { Ok(30) }
    }
}

struct Root;

#[Object]
impl Root {
    async fn person(&self) -> Option<Related<'static, Person>> {
        let alone = |name| Person { name, friends: Vec::new() };
        let ben = Person { name: "Ben", friends: vec![alone("Dee")] };
        Some(Related::alone(Person { name: "Ann", friends: vec![ben, alone("Cy")] }))
    }
}

async fn both(document: &str) -> [Response; 2] {
    let schema =
        Schema::build(Root, EmptyMutation, EmptySubscription).register_output_type::<Named>().finish();
    let engine = schema.execute(document).await;
    let mut request = async_graphql::Request::new(document);
    // All but the root stay where they are. The engine would put other selections into the place of what is skipped.
    let parsed = request.parsed_query().unwrap();
    let forms = match &parsed.operations {
        DocumentOperations::Single(it) if !document.contains('@') => Forms::of(&it.node.selection_set),
        _ => Forms::default(),
    };
    [engine, schema.execute(request.data(Arc::new(forms))).await]
}

#[tokio::test]
async fn an_answer_is_the_engines() {
    for (document, errors) in [
        ("{ person { name __typename n: name name } }", 0),
        (
            "{ person { motto(turns: 3) name a: motto friends { motto(turns: 2) name b: motto(turns: 0) } first { motto } } }",
            0,
        ),
        (
            "{ person { friends { name } friends { first { name } } first { name } first { n: name friends { name } } } }",
            0,
        ),
        ("{ person { friends { name first { name } } friends { first { n: name } name } } }", 0),
        (
            "{ person { ...P ... { n: name } ... on Person { first { ...P } } } } fragment P on Person { name motto }",
            0,
        ),
        ("{ person { ... on Named { name } friends { ... on Named { name } motto } } }", 0),
        ("{ person { name friends { name @include(if: true) motto @skip(if: true) } } }", 0),
        ("{ person { friends { friends { friends { name } } first { first { name } } } age } }", 0),
        ("{ person { name secret } }", 1),
        ("{ person { name first { name secret } friends { name first { secret } } } }", 2),
        ("{ person { friends { name age } } }", 1),
        ("{ person { name friends { motto(turns: 5) friends { age } age } } }", 1),
    ] {
        let [engine, ours] = both(document).await;
        // As texts: the fields in their order.
        assert_eq!(json!(ours).to_string(), json!(engine).to_string(), "{document}");
        assert_eq!(ours.errors.len(), errors, "{document}");
    }
}

#[tokio::test]
async fn those_who_wait_do_so_at_the_same_time() {
    // Each waits for all others to be asked.
    let (turns, asked) = (&Turns::of(40), &tokio::sync::Barrier::new(20));
    let rooms = &std::cell::RefCell::new(Vec::new());
    let taken = turns.take(|room| async move {
        rooms.borrow_mut().push(room);
        let mut taken = Vec::new();
        while let Some(turn) = turns.next() {
            if turn % 2 == 1 {
                asked.wait().await;
            }
            taken.push((turn, Value::from(turn)));
        }
        Ok(taken)
    });
    let all: Taken = (0..40).map(|turn| (turn, Value::from(turn))).collect();
    assert_eq!(taken.await.unwrap(), all);
    // Room for all is made once, not by each of those who wait.
    assert_eq!((rooms.borrow().len(), rooms.borrow().iter().sum::<usize>()), (20, 40));
}

#[tokio::test]
async fn those_behind_one_that_fails_are_not_asked() {
    let (turns, asked) = (Turns::of(5), AtomicUsize::new(0));
    let taken = turns.take(|_| async {
        while let Some(turn) = turns.next() {
            asked.fetch_add(1, Ordering::Relaxed);
            if turn == 2 {
                return Err(async_graphql::ServerError::new("no", None));
            }
        }
        Ok(Taken::new())
    });
    assert_eq!(taken.await.unwrap_err().message, "no");
    assert_eq!(asked.into_inner(), 3);
}

#[test]
fn a_form_has_the_names_of_its_selection_unless_it_has_fragments_directives_or_a_name_twice() {
    let text = "{ a: x b { c d: c } e { f f } g { h ... { i } } j { k @skip(if: true) } }";
    let document = async_graphql::parser::parse_query(text).unwrap();
    let DocumentOperations::Single(operation) = &document.operations else { panic!("there is one") };
    let forms = Forms::of(&operation.node.selection_set);
    let mut names: Vec<String> =
        forms.0.iter().map(|(_, form)| form.keys().map(Name::as_str).collect()).collect();
    names.sort();
    assert_eq!(names, ["abegj", "cd", "i"]);
    assert_eq!(forms.get(&operation.node.selection_set).map(|form| form.len()), Some(5));
    assert!(forms.get(&Positioned::default()).is_none());
}
