// Runs a program with Pyodide, which is CPython in WebAssembly: without threads, without processes.
// Arguments: the folder of the npm package, a folder of Python packages, the program.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, site, program] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(join(folder, "pyodide.mjs")));
const python = await loadPyodide();
python.FS.mkdirTree("/site");
python.FS.mount(python.FS.filesystems.NODEFS, { root: site }, "/site");
python.runPython("import sys; sys.path.insert(0, '/site')");
try {
  python.runPython(readFileSync(program, "utf8"), { filename: program });
} catch (error) { // without the line of Pyodide's source, which is a megabyte long
  console.error(error.message);
  process.exitCode = 1;
}
