import Foundation
import HTTPSteps
import JSON
import Workflows

/// A service that workflows may call.
struct ServiceEntry: Sendable, Equatable {
  let name: String
  /// The URL to which a step's path is appended.
  let url: String
  /// Whether the participant refuses a late command after an early undo.
  let tombstones: Bool
  /// The calls that may be under way at once; nil for the usual number.
  var maxInFlight: Int?
  /// Headers, tokens, the limit of a call's time, and TLS.
  var access = ServiceAccess()
}

/// The services that workflows may call, by `--service` and `--services`.
enum ServiceList {
  /// `NAME=URL`, and `,tombstones` behind it.
  static func entry(_ text: String) -> ServiceEntry? { try? read(text).get() }

  /// Reads the same text as `entry`, and returns the mistake if there is one.
  static func read(_ text: String) -> Result<ServiceEntry, Mistake> {
    guard let equals = text.firstIndex(of: "=") else {
      return .failure(Mistake("--service wants NAME=URL or NAME=URL,tombstones, not \"\(text)\""))
    }
    let name = String(text[..<equals])
    var url = text[text.index(after: equals)...]
    var tombstones = false
    if let comma = url.lastIndex(of: ",") {
      let mark = url[url.index(after: comma)...]
      if mark == "tombstones" {
        tombstones = true
        url = url[..<comma]
      } else if mark.allSatisfy(\.isLetter) {
        return .failure(
          Mistake("--service \(name): \"\(mark)\" is not known; only \"tombstones\" may follow a comma"))
      }
    }
    return entry(name: name, url: String(url), tombstones: tombstones).mapError { Mistake("--service \($0.text)") }
  }

  /// The mistake, for the person who wrote the text.
  struct Mistake: Error {
    let text: String
    init(_ text: String) { self.text = text }
  }

  private static func entry(name: String, url: String, tombstones: Bool) -> Result<ServiceEntry, Mistake> {
    if let mistake = mistake(inName: name) { return .failure(Mistake(mistake)) }
    if let mistake = WebAddress.mistake(in: url) ?? WebAddress.refusal(of: url) {
      return .failure(Mistake("\(name): the URL \(mistake)"))
    }
    return .success(ServiceEntry(name: name, url: trimmed(url), tombstones: tombstones))
  }

  /// Workflows can only name a service whose name the language allows.
  private static func mistake(inName name: String) -> String? {
    if name.isEmpty { return "wants a name before the URL: NAME=URL" }
    return NameRule.word.allows(name) ? nil : "\"\(name)\" is not a \(NameRule.word.meaning)"
  }

  /// `{"samples": {"url": "http://…", "tombstones": true}, "mail": "http://…"}`
  /// - Parameter variables: of the process's environment, for `env:NAME`.
  static func entries(
    _ json: JSON, file: String, variables: [String: String] = [:]
  ) throws(CLIError) -> [ServiceEntry] {
    guard case .object(let members) = json else { throw wrong(file, "is no object of services") }
    var entries: [ServiceEntry] = []
    for (name, value) in members {
      guard let url = value.stringValue ?? value["url"]?.stringValue else {
        throw wrong(file, "gives \"\(name)\" no \"url\" that begins with http:// or https://")
      }
      guard value["tombstones"] == nil || value["tombstones"]?.boolValue != nil else {
        throw wrong(file, "says of \"\(name)\" something else than true or false for \"tombstones\"")
      }
      var entry: ServiceEntry
      switch Self.entry(name: name, url: url, tombstones: value["tombstones"]?.boolValue ?? false) {
      case .success(let read): entry = read
      case .failure(let mistake): throw wrong(file, "can't be used: \(mistake.text)")
      }
      do throws(Mistake) {
        let reader = try ServiceReader(value.objectValue ?? [:], known: ServiceReader.members, variables: variables)
        entry.access = try reader.access(isSecure: entry.url.lowercased().hasPrefix("https://"))
        entry.maxInFlight = try reader.number("maxInFlight", within: 1...10_000)
      } catch {
        throw wrong(file, "can't be used: \(name): \(error.text)")
      }
      entries.append(entry)
    }
    return entries
  }

  /// Returns the text of a file that `entries` reads, with a line for each service.
  static func text(of entries: [ServiceEntry]) -> String {
    let lines = entries.map { entry in
      var service: JSON = ["url": .string(entry.url)]
      if entry.tombstones { service = ["url": .string(entry.url), "tombstones": true] }
      return "  \(JSON.string(entry.name).text()): \(service.text())"
    }
    return lines.isEmpty ? "{}\n" : "{\n\(lines.joined(separator: ",\n"))\n}\n"
  }

  private static func wrong(_ file: String, _ what: String) -> CLIError {
    CLIError(
      CLIErrorCode.configurationInvalid, "\(file) \(what)",
      advice: ["It looks like {\"samples\": {\"url\": \"http://127.0.0.1:8090/samples\", \"tombstones\": true}}"])
  }

  private static func trimmed(_ url: String) -> String {
    var url = url
    while url.hasSuffix("/") { url.removeLast() }
    return url
  }
}

extension Invocation {
  /// Returns all services, those of the file first. A service that is named twice is an error: the process would call only
  /// one of the two addresses.
  func services() throws -> [ServiceEntry] {
    var entries: [ServiceEntry] = []
    if let file = arguments.value("services") {
      entries += try ServiceList.entries(try settings(of: file), file: file, variables: variables)
    }
    for text in arguments.values("service") {
      let entry: ServiceEntry
      switch ServiceList.read(text) {
      case .success(let read): entry = read
      case .failure(let mistake): throw usage(mistake.text)
      }
      guard !entries.contains(where: { $0.name == entry.name }) else {
        throw CLIError(
          CLIErrorCode.configurationInvalid, "the service \"\(entry.name)\" is named twice",
          advice: ["Name it once, with --service or in the file of --services."])
      }
      entries.append(entry)
    }
    return entries
  }
}
