// Light or dark as the system has it, until one chooses. Not a module: it runs before the first
// paint, so that no page flashes in the other colours.
{
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";

  // Where a browser keeps nothing for a page, to ask throws; the choice then lasts for this visit.
  const storage = (use) => {
    try {
      return use(localStorage);
    } catch {
      return null;
    }
  };

  const kept = storage((store) => store.getItem("theme"));
  if (kept === "light" || kept === "dark") root.dataset.theme = kept;

  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const name = () => {
      button.textContent = isDark() ? "Light" : "Dark";
      button.setAttribute("aria-label", `${button.textContent} colours`);
    };
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      storage((store) => store.setItem("theme", root.dataset.theme));
      name();
    });
    system.addEventListener("change", name);
    name();
  });
}
