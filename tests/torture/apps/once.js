// Node and pg: reads its environment once, and opens new connections all the time.
const http = require("http");
const { Pool } = require("pg");

const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 4, idleTimeoutMillis: 20 });
pool.on("error", () => {});
const SAID = /authentication failed|not permitted to log in/;

const server = http.createServer(async (request, response) => {
  try {
    await pool.query("SELECT pg_sleep(0.06)");
    response.end("ok");
  } catch (error) {
    response.statusCode = 500;
    response.end(SAID.test(error.message) ? "refused" : error.name);
  }
});

process.on("SIGTERM", () => server.close(() => pool.end()));
server.listen(Number(process.env.PORT), "127.0.0.1");
