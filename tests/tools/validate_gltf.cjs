// Prints the official validator's report on each GLB named on the command line, one line of JSON per file.
// GLTF_VALIDATOR, when set, is a folder that holds node_modules/gltf-validator; .venv/node is tried as well.
const fs = require("fs");
const path = require("path");

const folders = [process.env.GLTF_VALIDATOR, process.cwd(), path.join(process.cwd(), ".venv", "node"), __dirname];
const entry = require.resolve("gltf-validator", { paths: folders.filter(Boolean) });
const validator = require(entry);

(async () => {
  for (const file of process.argv.slice(2)) {
    const bytes = new Uint8Array(fs.readFileSync(file));
    const report = await validator.validateBytes(bytes, { uri: path.basename(file), format: "glb", maxIssues: 50 });
    console.log(JSON.stringify(report));
  }
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
