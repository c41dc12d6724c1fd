//! Sessions against real servers: the same list of claims for each of them.
//!
//! Starting a server costs seconds, so one test holds all claims about one server.

mod exchange;
mod login;
mod statements;
mod values;

use crate::server::{Server, block_on};

async fn everything(server: &Server) {
    values::all_types_come_back(server).await;
    values::parameters_of_every_kind_come_back(server).await;
    exchange::statements_are_prepared_executed_and_closed(server).await;
    exchange::a_refused_prepare_executes_nothing(server).await;
    exchange::numbers_of_statements_survive_dynamic_sql(server).await;
    exchange::errors_leave_a_session_whole(server).await;
    exchange::several_results_are_read_one_after_the_other(server).await;
    exchange::results_dropped_early_are_read_by_the_next_request(server).await;
    exchange::a_cut_exchange_breaks_the_session(server).await;
    exchange::a_connection_closed_by_the_server_is_seen(server).await;
    exchange::packets_beyond_16_mib_go_both_ways(server).await;
    exchange::state_is_tracked_and_reset(server).await;
    exchange::commits_tell_their_gtid(server).await;
    exchange::local_files_are_given_only_when_asked_for(server).await;
    statements::statements_are_kept_and_prepared_again(server).await;
    statements::rows_are_inserted_in_bulk_and_streamed(server).await;
    login::compressed_sessions_say_the_same(server).await;
    login::a_wrong_password_is_an_authentication_failure(server).await;
}

#[test]
fn sessions_of_mariadb() {
    block_on(async {
        let certificates = login::Certificates::new();
        let Some(server) = Server::mariadb(&certificates.settings()).await else { return };
        everything(&server).await;
        login::tls_is_as_strict_as_its_mode(&server, &certificates).await;
        login::mariadb_accounts_log_in(&server).await;
    });
}

#[test]
fn sessions_of_mysql() {
    block_on(async {
        let Some(server) = Server::mysql().await else { return };
        everything(&server).await;
        login::mysql_accounts_log_in(&server).await;
    });
}

#[test]
fn sessions_of_rustydb() {
    block_on(async {
        let Some(server) = Server::rustydb().await else { return };
        everything(&server).await;
    });
}
