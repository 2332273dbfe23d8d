//! The migrations run up, down to nothing, and up again, also when there are rows.

use migration::Migrator;
use migration::sea_orm_migration::MigratorTrait;

use super::catalogue::everything;
use super::database::on_both_engines;
use super::facts::Practice;

on_both_engines! {
    async fn a_database_can_be_taken_down_to_nothing_and_built_again(db: &DatabaseConnection) {
        let built = everything(db).await;
        assert!(built.len() > 200, "the migrations build something: {}", built.len());

        Practice::open(db).await;
        Migrator::down(db, None).await.unwrap();
        assert_eq!(everything(db).await, Vec::<Vec<String>>::new());

        Migrator::up(db, None).await.unwrap();
        let again = everything(db).await;
        for (before, after) in built.iter().zip(&again) {
            assert_eq!(before, after);
        }
        assert_eq!(built.len(), again.len());
    }
}
