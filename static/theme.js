// Before the first paint: the theme and language that were chosen last time.
try {
  const theme = localStorage.getItem("tabernetes.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  const language = localStorage.getItem("tabernetes.language") ?? navigator.language;
  if (language.startsWith("zh")) document.documentElement.lang = "zh-Hans";
} catch {
  // No storage: the browser's preference holds.
}
