// Starts the page's own module. Kept in a file, because the page allows no inline scripts.
import init from "./web.js";

// The editor comes when all else is there; until then, and should it not come, there is the
// textarea that it stands over.
document.addEventListener("settled", async () => {
  const area = document.getElementById("manifest");
  const host = document.getElementById("manifest-host");
  try {
    const { enhance } = await import("./editor.js");
    enhance(area, host);
  } catch (error) {
    console.warn("The editor stays a plain one:", error);
  }
}, { once: true });

await init();
