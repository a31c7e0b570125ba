import Runtime

/// One file of the console, as browsers get it.
struct ConsoleFile: Sendable {
  let name: String
  let type: String
  let bytes: [UInt8]
  let tag: String

  init(_ name: String, _ text: String) {
    self.name = name
    type =
      if name.hasSuffix(".js") { "text/javascript; charset=utf-8" } else if name.hasSuffix(".css") {
        "text/css; charset=utf-8"
      } else if name.hasSuffix(".svg") { "image/svg+xml" } else { "text/html; charset=utf-8" }
    bytes = Array(text.utf8)
    tag = "\"\(Digest.hex(bytes).prefix(32))\""
  }
}

/// The console's files. They lie in `console/`, and a copy of each in `Text/`, so that the engine needs no file beside it.
enum ConsoleFiles {
  static let page = "index.html"
  static let all: [String: ConsoleFile] = Dictionary(
    ConsoleText.files.map { ($0.name, ConsoleFile($0.name, $0.text)) }, uniquingKeysWith: { first, _ in first })
}
