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
    [engine, schema.execute(async_graphql::Request::new(document).data(Unwatched)).await]
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
async fn fields_that_wait_do_so_at_the_same_time() {
    // Each waits for all others to be asked.
    let asked = &tokio::sync::Barrier::new(40);
    let waiting = (0..40).map(|index| async move {
        asked.wait().await;
        Ok(Value::from(index))
    });
    let all: Vec<Value> = (0..40).map(Value::from).collect();
    assert_eq!(in_place(waiting).await.unwrap(), all);
}

#[tokio::test]
async fn those_behind_one_that_fails_are_not_asked() {
    let asked = std::cell::Cell::new(0);
    let futures = (0..5).map(|index| {
        let asked = &asked;
        async move {
            asked.set(asked.get() + 1);
            if index == 2 { Err(async_graphql::ServerError::new("no", None)) } else { Ok(Value::Null) }
        }
    });
    assert_eq!(in_place(futures).await.unwrap_err().message, "no");
    assert_eq!(asked.get(), 3);
}
