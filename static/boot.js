// Starts the page's own module. Kept in a file, because the page allows no inline scripts.
import init from "./web.js";

await init();
