//! Statements: which one, and those of administration.

use super::Printer;
use crate::ast::*;

impl Printer {
    pub(super) fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Empty => self.word("/* */"),
            Statement::Query(query) => self.query(query),
            Statement::Insert(insert) => self.insert(insert),
            Statement::Update(update) => self.update(update),
            Statement::Delete(delete) => self.delete(delete),
            Statement::LoadData(load) => self.load_data(load),
            Statement::Call(call) => self.procedure_call(call),
            Statement::Do(items) => self.clause("DO", items, Self::select_item),
            Statement::Handler(handler) => self.handler(handler),
            Statement::CreateDatabase(create) => self.create_database(create),
            Statement::AlterDatabase(alter) => self.alter_database(alter),
            Statement::DropDatabase(drop) => {
                self.word("DROP DATABASE");
                self.word_if(drop.if_exists, "IF EXISTS");
                self.ident(&drop.name);
            }
            Statement::CreateTable(table) => self.create_table(table),
            Statement::AlterTable(alter) => self.alter_table(alter),
            Statement::DropTable(drop) => {
                self.word(if drop.temporary { "DROP TEMPORARY TABLE" } else { "DROP TABLE" });
                self.word_if(drop.if_exists, "IF EXISTS");
                self.objects(&drop.tables);
            }
            Statement::RenameTable(rename) => {
                self.clause("RENAME TABLE", &rename.renames, |p, (from, to)| {
                    p.object(from);
                    p.word("TO");
                    p.object(to);
                })
            }
            Statement::TruncateTable(table) => {
                self.word("TRUNCATE TABLE");
                self.object(table);
            }
            Statement::CreateIndex(create) => self.create_index(create),
            Statement::DropIndex(drop) => self.drop_index(drop),
            Statement::CreateView(view) => self.create_view(view),
            Statement::DropView(drop) => {
                self.word("DROP VIEW");
                self.word_if(drop.if_exists, "IF EXISTS");
                self.objects(&drop.views);
            }
            Statement::CreateRoutine(routine) => self.create_routine(routine),
            Statement::CreateLoadableFunction(function) => self.loadable_function(function),
            Statement::AlterRoutine(alter) => self.alter_routine(alter),
            Statement::CreateTrigger(trigger) => self.create_trigger(trigger),
            Statement::CreateEvent(event) => self.create_event(event),
            Statement::DropProgram(drop) => self.drop_program(drop),
            Statement::Signal(signal) => self.signal(signal),
            Statement::GetDiagnostics(get) => self.diagnostics(get),
            _ => self.session_statement(statement),
        }
    }

    fn session_statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Use(name) => self.named("USE", name),
            Statement::Set(items) => self.set(items),
            Statement::SetTransaction(set) => self.set_transaction(set),
            Statement::SetPassword(set) => self.set_password(set),
            Statement::SetRole(roles) => {
                self.word("SET ROLE");
                self.roles(roles);
            }
            Statement::SetDefaultRole(set) => self.set_default_role(set),
            Statement::Prepare(prepare) => self.prepare(prepare),
            Statement::Execute(execute) => self.execute(execute),
            Statement::Deallocate(name) => self.named("DEALLOCATE PREPARE", name),
            Statement::StartTransaction(start) => self.start_transaction(start),
            Statement::Commit(options) => self.completion("COMMIT", options),
            Statement::Rollback(options) => self.completion("ROLLBACK", options),
            Statement::Savepoint(name) => self.named("SAVEPOINT", name),
            Statement::RollbackToSavepoint(name) => self.named("ROLLBACK TO SAVEPOINT", name),
            Statement::ReleaseSavepoint(name) => self.named("RELEASE SAVEPOINT", name),
            Statement::Xa(xa) => self.xa(xa),
            Statement::LockTables(locks) => self.lock_tables(locks),
            Statement::UnlockTables => self.word("UNLOCK TABLES"),
            Statement::LockInstance => self.word("LOCK INSTANCE FOR BACKUP"),
            Statement::UnlockInstance => self.word("UNLOCK INSTANCE"),
            Statement::Show(show) => self.show(show),
            Statement::Describe(describe) => self.describe(describe),
            Statement::Explain(explain) => self.explain(explain),
            Statement::Help(topic) => {
                self.word("HELP");
                self.space();
                self.quoted(&topic.value);
            }
            Statement::CreateUser(create) => self.create_user(create),
            Statement::AlterUserDefaultRole { if_exists, user, roles } => {
                self.word("ALTER USER");
                self.word_if(*if_exists, "IF EXISTS");
                self.account(user);
                self.word("DEFAULT ROLE");
                self.roles(roles);
            }
            Statement::DropUser(list) => self.account_list("DROP USER", "IF EXISTS", list),
            Statement::RenameUser(renames) => self.rename_user(renames),
            Statement::CreateRole(list) => self.account_list("CREATE ROLE", "IF NOT EXISTS", list),
            Statement::DropRole(list) => self.account_list("DROP ROLE", "IF EXISTS", list),
            Statement::Grant(grant) => self.grant(grant),
            Statement::Revoke(revoke) => self.revoke(revoke),
            _ => self.admin_statement(statement),
        }
    }

    fn admin_statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Kill(kill) => {
                self.word(if kill.query_only { "KILL QUERY" } else { "KILL CONNECTION" });
                self.expr(&kill.id);
            }
            Statement::MaintainTables(maintain) => self.maintain_tables(maintain),
            Statement::Flush(flush) => self.flush(flush),
            Statement::Reset(reset) => self.reset(reset),
            Statement::PurgeLogs(purge) => match &**purge {
                PurgeLogs::To(file) => {
                    self.word("PURGE BINARY LOGS TO");
                    self.string(file);
                }
                PurgeLogs::Before(time) => {
                    self.word("PURGE BINARY LOGS BEFORE");
                    self.expr(time);
                }
            },
            Statement::CacheIndex(cache) => self.cache_index(cache),
            Statement::Install(install) => self.install(install),
            Statement::Shutdown => self.word("SHUTDOWN"),
            Statement::Restart => self.word("RESTART"),
            Statement::Binlog(events) => {
                self.word("BINLOG");
                self.string(events);
            }
            _ => {}
        }
    }

    fn named(&mut self, words: &str, name: &Ident) {
        self.word(words);
        self.ident(name);
    }

    fn maintain_tables(&mut self, maintain: &MaintainTables) {
        self.word(match maintain.action {
            TableMaintenance::Analyze => "ANALYZE",
            TableMaintenance::Check => "CHECK",
            TableMaintenance::Checksum => "CHECKSUM",
            TableMaintenance::Optimize => "OPTIMIZE",
            TableMaintenance::Repair => "REPAIR",
        });
        self.word_if(maintain.no_binlog, "NO_WRITE_TO_BINLOG");
        self.clause("TABLE", &maintain.tables, Self::object);
        for option in &maintain.options {
            self.word(option);
        }
        if let Some(histogram) = &maintain.histogram {
            self.word(if histogram.drop { "DROP HISTOGRAM ON" } else { "UPDATE HISTOGRAM ON" });
            self.idents(&histogram.columns);
            if let Some(buckets) = histogram.buckets {
                self.word(&format!("WITH {buckets} BUCKETS"));
            }
            match histogram.auto_update {
                Some(true) => self.word("AUTO UPDATE"),
                Some(false) => self.word("MANUAL UPDATE"),
                None => {}
            }
            self.optional("USING DATA", &histogram.data, Self::string);
        }
    }

    fn flush(&mut self, flush: &Flush) {
        self.word("FLUSH");
        self.word_if(flush.no_binlog, "NO_WRITE_TO_BINLOG");
        match &flush.target {
            FlushTarget::Tables { tables, read_lock, export } => {
                self.word("TABLES");
                self.objects(tables);
                self.word_if(*read_lock, "WITH READ LOCK");
                self.word_if(*export, "FOR EXPORT");
            }
            FlushTarget::Options(options) => self.list(options, |p, option| {
                p.word(option.name);
                p.optional("FOR CHANNEL", &option.channel, Self::string);
            }),
        }
    }

    fn reset(&mut self, reset: &Reset) {
        match reset {
            Reset::Persist { if_exists, variable } => {
                self.word("RESET PERSIST");
                self.word_if(*if_exists, "IF EXISTS");
                self.optional("", variable, |p, name| match name.value.split_once('.') {
                    Some((component, name)) => {
                        p.name(component);
                        p.dot();
                        p.name(name);
                    }
                    None => p.ident(name),
                });
            }
            Reset::BinaryLogs(number) => {
                self.word("RESET BINARY LOGS AND GTIDS");
                self.optional("TO", number, |p, number| p.number(*number));
            }
            Reset::Replica { all, channel } => {
                self.word(if *all { "RESET REPLICA ALL" } else { "RESET REPLICA" });
                self.optional("FOR CHANNEL", channel, Self::string);
            }
        }
    }

    fn cache_index(&mut self, cache: &CacheIndex) {
        self.word(if cache.cache.is_some() { "CACHE INDEX" } else { "LOAD INDEX INTO CACHE" });
        self.list(&cache.tables, |p, table| {
            p.object(&table.table);
            if let Some(partitions) = &table.partitions {
                p.word("PARTITION");
                p.parens(|p| p.partition_names(partitions));
            }
            if !table.indexes.is_empty() {
                p.word("INDEX");
                p.paren_idents(&table.indexes);
            }
            p.word_if(table.ignore_leaves, "IGNORE LEAVES");
        });
        self.optional("IN", &cache.cache, |p, name| {
            if name.as_str() == "DEFAULT" { p.word("DEFAULT") } else { p.ident(name) }
        });
    }

    fn install(&mut self, install: &Install) {
        match install {
            Install::Plugin { name, library } => {
                self.named("INSTALL PLUGIN", name);
                self.word("SONAME");
                self.string(library);
            }
            Install::Components(urns) => self.clause("INSTALL COMPONENT", urns, Self::string),
            Install::RemovePlugin(name) => self.named("UNINSTALL PLUGIN", name),
            Install::RemoveComponents(urns) => self.clause("UNINSTALL COMPONENT", urns, Self::string),
        }
    }
}
