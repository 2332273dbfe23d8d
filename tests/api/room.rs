//! Rooms.

use serde_json::{Value as Json, json};

use crate::support::app::{Client, TestApp};
use crate::support::on_both_engines;

const CREATE: &str = "mutation($input: CreateRoomInput!) { createRoom(input: $input) { room { \
                      id name capacity version location { name } } } }";
const UPDATE: &str = "mutation($input: UpdateRoomInput!) { updateRoom(input: $input) { room { \
                      name capacity version location { name } } } }";

async fn location(client: &Client, name: &str) -> Json {
    let create = "mutation($name: String!) { createLocation(input: { name: $name }) { location { id } } }";
    client.ok(create, json!({ "name": name })).await["createLocation"]["location"]["id"].clone()
}

on_both_engines! {
    async fn a_room_is_at_a_location_of_its_own_workspace(on: On) {
        let app = TestApp::new(on).await;
        let (owner, stranger) = (app.workspace("north").await, app.workspace("south").await);
        let (here, there) = (location(&owner, "Main house").await, location(&stranger, "Elsewhere").await);

        let input = json!({ "input": { "name": "Blue", "locationId": here, "capacity": 4 } });
        let room = owner.ok(CREATE, input).await["createRoom"]["room"].clone();
        assert_eq!(room["location"]["name"], "Main house");
        for foreign in [json!({ "name": "Red", "locationId": there }), json!({ "name": "Red", "locationId": room["id"] })] {
            let answer = owner.run(CREATE, json!({ "input": foreign })).await;
            assert_eq!(answer.code(), "BAD_USER_INPUT");
        }
        let move_there = json!({ "input": { "id": room["id"], "expectedVersion": 1, "locationId": there } });
        let answer = owner.run(UPDATE, move_there).await;
        let field = &answer.errors[0]["extensions"]["fields"][0];
        assert_eq!(*field, json!({ "path": ["input", "locationId"], "message": "Not found." }));

        let nowhere = json!({ "input": { "id": room["id"], "expectedVersion": 1, "locationId": null } });
        let moved = owner.ok(UPDATE, nowhere).await["updateRoom"]["room"].clone();
        assert_eq!(moved, json!({ "name": "Blue", "capacity": 4, "version": 2, "location": null }));
    }
}

on_both_engines! {
    async fn rooms_are_listed_by_name_with_their_locations_in_one_more_statement(on: On) {
        let app = TestApp::new(on).await;
        let owner = app.workspace("north").await;
        let (one, two) = (location(&owner, "One").await, location(&owner, "Two").await);
        for (name, at) in [("Charlie", &one), ("alpha", &two), ("Bravo", &one)] {
            owner.ok(CREATE, json!({ "input": { "name": name, "locationId": at } })).await;
        }
        let answer = owner.run("{ rooms { nodes { name location { name } } } }", json!({})).await;
        assert_eq!(answer.data["rooms"]["nodes"], json!([
            { "name": "alpha", "location": { "name": "Two" } },
            { "name": "Bravo", "location": { "name": "One" } },
            { "name": "Charlie", "location": { "name": "One" } },
        ]));
        assert_eq!(answer.statements, 2);
        let taken = json!({ "input": { "name": "ALPHA" } });
        assert_eq!(owner.code(CREATE, taken).await, "BAD_USER_INPUT");
        assert_eq!(owner.code(CREATE, json!({ "input": { "name": "Zero", "capacity": 0 } })).await, "BAD_USER_INPUT");
    }
}
