//! `/users`.

use crate::support::Api;

#[tokio::test]
async fn users_are_found_by_the_beginning_of_their_names() {
    let api = Api::start();
    for user in ["ada", "adele", "bo"] {
        api.bearer(user).appears().await;
    }
    let found = api.bo().get("/users?query=AD").await;
    let names: Vec<_> = found.list().iter().map(|user| user["username"].clone()).collect();
    assert_eq!(names, ["ada", "adele"]);
    assert_eq!(found.json()["meta"]["hasMore"], false);
    assert_eq!(api.bo().get("/users").await.list().len(), 3);
    assert_eq!(api.bo().get("/users?query=ad&limit=1").await.list().len(), 1);
    assert!(api.bo().get("/users?query=%25").await.list().is_empty(), "no wildcard");
}

#[tokio::test]
async fn a_user_is_found_by_id() {
    let api = Api::start();
    let ada = api.ada().appears().await;
    assert_eq!(api.bo().get("/users/ada").await.ok(200)["createdAt"], ada["createdAt"]);
    for id in ["nobody", "a%20b", "%ff", "a%2Fb"] {
        api.bo().get(&format!("/users/{id}")).await.problem(404, "not_found");
    }
}
