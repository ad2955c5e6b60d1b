// Runs axe-core over the HTML files of a folder and fails for each rule of WCAG 2.2 AA that a page breaks.
// scripts/pages.sh accessibility calls it. Rules that need a layout, such as contrast, are left out.
const fs = require("fs");
const path = require("path");
const { JSDOM } = require("jsdom");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const options = {
  runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
  rules: { "color-contrast": { enabled: false } },
  resultTypes: ["violations"],
};

async function main(folder) {
  const files = fs.readdirSync(folder).filter((name) => name.endsWith(".html"));
  let broken = 0;
  for (const name of files) {
    const { window } = new JSDOM(fs.readFileSync(path.join(folder, name), "utf8"), { runScripts: "outside-only" });
    window.eval(axe);
    const result = await window.axe.run(window.document, options);
    for (const rule of result.violations) {
      broken++;
      console.log(`${name}: ${rule.id}: ${rule.help}: ${rule.nodes.map((node) => node.html.slice(0, 120)).join(" ")}`);
    }
    window.close();
  }
  console.log(`accessibility: ${files.length} pages, ${broken} broken rules`);
  process.exitCode = broken > 0 || files.length === 0 ? 1 : 0;
}

main(process.argv[2]);
