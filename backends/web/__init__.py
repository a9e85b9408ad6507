"""Target web: a folder with a page that runs the network in a browser, by onnxruntime-web."""

MODEL, PAGE = "model.onnx", "index.html"
SCRIPT, BINARY = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"
"""Names of onnxruntime-web's files, in its package's folder dist."""
FILES = (MODEL, PAGE, SCRIPT, BINARY)
"""Names of all files of the folder."""
