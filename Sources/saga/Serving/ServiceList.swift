import Foundation
import JSON

/// A service that workflows may call.
struct ServiceEntry: Sendable, Equatable {
  let name: String
  /// What a step's path is appended to.
  let url: String
  /// Whether an undo that comes first makes the late command refuse.
  let tombstones: Bool
}

/// The services that workflows may call, by `--service` and `--services`.
enum ServiceList {
  /// `NAME=URL`, and `,tombstones` behind it.
  static func entry(_ text: String) -> ServiceEntry? {
    guard let equals = text.firstIndex(of: "="), equals > text.startIndex else { return nil }
    var url = String(text[text.index(after: equals)...])
    let mark = ",tombstones"
    let tombstones = url.hasSuffix(mark)
    if tombstones { url.removeLast(mark.count) }
    guard isURL(url) else { return nil }
    return ServiceEntry(name: String(text[..<equals]), url: trimmed(url), tombstones: tombstones)
  }

  /// `{"samples": {"url": "http://…", "tombstones": true}, "mail": "http://…"}`
  static func entries(_ json: JSON, file: String) throws(CLIError) -> [ServiceEntry] {
    guard case .object(let members) = json else { throw wrong(file, "is no object of services") }
    var entries: [ServiceEntry] = []
    for (name, value) in members {
      if let unknown = value.objectValue?.keys.first(where: { !["url", "tombstones"].contains($0) }) {
        throw wrong(file, "says \"\(unknown)\" of \"\(name)\"; a service has \"url\" and \"tombstones\"")
      }
      guard let url = value.stringValue ?? value["url"]?.stringValue, isURL(url) else {
        throw wrong(file, "gives \"\(name)\" no \"url\" that begins with http:// or https://")
      }
      guard value["tombstones"] == nil || value["tombstones"]?.boolValue != nil else {
        throw wrong(file, "says of \"\(name)\" something else than true or false for \"tombstones\"")
      }
      entries.append(
        ServiceEntry(name: name, url: trimmed(url), tombstones: value["tombstones"]?.boolValue ?? false))
    }
    return entries
  }

  private static func wrong(_ file: String, _ what: String) -> CLIError {
    CLIError(
      CLIErrorCode.configurationInvalid, "\(file) \(what)",
      advice: ["It looks like {\"samples\": {\"url\": \"http://127.0.0.1:8090/samples\", \"tombstones\": true}}"])
  }

  private static func isURL(_ url: String) -> Bool {
    ["http://", "https://"].contains { url.hasPrefix($0) && url.count > $0.count }
  }

  private static func trimmed(_ url: String) -> String {
    var url = url
    while url.hasSuffix("/") { url.removeLast() }
    return url
  }
}

extension Invocation {
  /// All services named; a later one of the same name stands.
  func services() throws -> [ServiceEntry] {
    var entries: [ServiceEntry] = []
    if let file = arguments.value("services") {
      entries += try ServiceList.entries(try json(of: file), file: file)
    }
    for text in arguments.values("service") {
      guard let entry = ServiceList.entry(text) else {
        throw usage("--service wants NAME=URL or NAME=URL,tombstones, not \"\(text)\"")
      }
      entries.removeAll { $0.name == entry.name }
      entries.append(entry)
    }
    return entries
  }
}
