import Assets
import Values

/// A file that the server sends to browsers: its type, its bytes, and an entity tag made of its content.
struct PageFile: Sendable {
  let type: String
  let bytes: [UInt8]
  let tag: String

  init(type: String, bytes: [UInt8]) {
    self.type = type
    self.bytes = bytes
    tag = "\"\(Digest.hex(bytes).prefix(32))\""
  }
}

/// The console's files, by name. Their source is `console/`, and the program contains them.
enum ConsoleFiles {
  static let page = "index.html"
  static let all: [String: PageFile] = Dictionary(
    uniqueKeysWithValues: Assets.paths.filter { $0.hasPrefix(folder) }.map { path in
      let name = String(path.dropFirst(folder.count))
      return (name, PageFile(type: type(of: name), bytes: Assets.bytes(path) ?? []))
    })

  private static let folder = "console/"

  private static func type(of name: String) -> String {
    if name.hasSuffix(".js") { return "text/javascript; charset=utf-8" }
    if name.hasSuffix(".css") { return "text/css; charset=utf-8" }
    return name.hasSuffix(".svg") ? "image/svg+xml" : "text/html; charset=utf-8"
  }
}
