-- Durable single-row updates under autocommit. --rows=1 makes every thread wait for one row; --rows=THREADS
-- gives each thread a row of its own. Each acknowledged event has raised one counter by one.

sysbench.cmdline.options = {
   rows = {"Rows to share among the threads", 1}
}

function prepare()
   local connection = sysbench.sql.driver():connect()
   connection:query("DROP TABLE IF EXISTS hot_row")
   connection:query("CREATE TABLE hot_row (id INT NOT NULL PRIMARY KEY, n BIGINT NOT NULL)")
   for id = 1, sysbench.opt.rows do
      connection:query(string.format("INSERT INTO hot_row VALUES (%d, 0)", id))
   end
end

function cleanup()
   sysbench.sql.driver():connect():query("DROP TABLE IF EXISTS hot_row")
end

function thread_init()
   connection = sysbench.sql.driver():connect()
   update = connection:prepare("UPDATE hot_row SET n = n + 1 WHERE id = ?")
   id = update:bind_create(sysbench.sql.type.INT)
   update:bind_param(id)
end

function event()
   id:set(sysbench.tid % sysbench.opt.rows + 1)
   update:execute()
end

function thread_done()
   update:close()
   connection:disconnect()
end
