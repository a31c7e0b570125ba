import Foundation
import Persistence
import PostgresPersistence
import Runtime

/// The place of the events, as `--store` names it.
enum StoreLocation: Sendable, Equatable {
  case sqlite(path: String)
  case postgres(url: String)
  case memory

  /// - Returns: nil for a text that names no store.
  init?(_ text: String) {
    if text == "memory" {
      self = .memory
    } else if text.hasPrefix("postgres://") || text.hasPrefix("postgresql://") {
      self = .postgres(url: text)
    } else if let colon = text.firstIndex(of: ":"), text.index(after: colon) < text.endIndex {
      let rest = String(text[text.index(after: colon)...])
      switch text[..<colon] {
      case "sqlite": self = .sqlite(path: rest)
      case "postgres": self = .postgres(url: rest)
      default: return nil
      }
    } else {
      return nil
    }
  }

  /// The location as a person may read it: without the passwords that a URL may contain.
  var shown: String {
    switch self {
    case .sqlite(let path): "SQLite, \(path)"
    case .postgres: "Postgres"
    case .memory: "memory (nothing is kept)"
    }
  }

  /// - Parameter log: gets the names of files that other users could read until now.
  func open(_ environment: Runtime.Environment, log: Log) async throws -> any EventStore {
    switch self {
    case .memory: return MemoryStore(environment: environment)
    case .postgres(let url): return try await PostgresStore.open(url: url, environment: environment)
    case .sqlite(let path):
      try Self.makeFolder(of: path, option: "store", log)
      Self.tighten(path, log)
      return try await SQLiteStore.open(path: path, environment: environment)
    }
  }
}

extension StoreLocation {
  /// The files in which an engine may note its computations. It uses the first one that no other engine has.
  var interruptionFiles: [String] {
    switch self {
    case .memory: []
    case .sqlite(let path): [path + "-computing"]
    case .postgres: Self.folderFiles
    }
  }

  /// Files in the folder of the process, for a store without one. The folder must outlive the process to be useful.
  private static var folderFiles: [String] {
    try? FileManager.default.createDirectory(atPath: ".saga", withIntermediateDirectories: true)
    return (1...16).map { ".saga/computing-\($0)" }
  }

  /// The default place of the read model: beside its events.
  var besideIt: StoreLocation {
    switch self {
    case .memory: .memory
    case .postgres: self
    case .sqlite(let path): .sqlite(path: Self.readFile(beside: path))
    }
  }

  /// Returns `read.db` for `engine.db`. For another name, that name with `-read`, because stores may share a folder.
  private static func readFile(beside path: String) -> String {
    let end = path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex
    let name = path[end...]
    if name == "engine.db" { return path[..<end] + "read.db" }
    let stem = name.hasSuffix(".db") ? name.dropLast(3) : name
    return path[..<end] + "\(stem)-read.db"
  }

  func openForReading(_ environment: Runtime.Environment, log: Log) async throws -> any SagaReadStore {
    switch self {
    case .memory: return MemoryReadStore()
    case .postgres(let url): return try await SQLReadStore.postgres(url: url, environment: environment)
    case .sqlite(let path):
      try Self.makeFolder(of: path, option: "read-store", log)
      Self.tighten(path, log)
      return try await SQLReadStore.sqlite(path: path)
    }
  }

  /// Creates the folder when it is missing, for this user alone. An existing folder `.saga` belongs to the program and
  /// is closed to other users. Another existing folder may be shared on purpose, and keeps its rights.
  private static func makeFolder(of path: String, option: String, _ log: Log) throws(CLIError) {
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
    if folder.lastPathComponent == ".saga", PrivateFile.tighten(folder.path) { sayTightened(folder.path, log) }
    do {
      try FileManager.default.createDirectory(
        at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch {
      throw CLIError(
        CLIErrorCode.configurationInvalid, "can't make the folder \(folder.path) for the store",
        advice: ["Another place: --\(option) sqlite:PATH"])
    }
  }
}

extension StoreLocation {
  private static func tighten(_ path: String, _ log: Log) {
    for file in PrivateFile.tighten(database: path) { sayTightened(file, log) }
  }

  private static func sayTightened(_ path: String, _ log: Log) {
    log.warning("Other users could read a file of the store; removed their rights", ("path", path))
  }
}

extension StoreLocation {
  /// Returns the beginning of a text that names no store. A misspelt URL may have a password.
  fileprivate static func shown(_ text: String) -> String {
    let beginning = text.prefix { !":=@".contains($0) }
    return beginning.endIndex == text.endIndex ? text : "\(beginning)\(text[beginning.endIndex])…"
  }
}

extension Invocation {
  /// Returns the place of the read model; nil when the option is missing.
  func readStore() throws(UsageError) -> StoreLocation? {
    guard let text = arguments.value("read-store") else { return nil }
    guard let store = StoreLocation(text) else {
      throw usage("--read-store wants sqlite:PATH, postgres:URL, or memory, not \"\(StoreLocation.shown(text))\"")
    }
    return store
  }

  func store(else usual: StoreLocation) throws(UsageError) -> StoreLocation {
    guard let text = arguments.value("store") else { return usual }
    guard let store = StoreLocation(text) else {
      throw usage("--store wants sqlite:PATH, postgres:URL, or memory, not \"\(StoreLocation.shown(text))\"")
    }
    return store
  }

  func port(else usual: Int) throws(UsageError) -> Int {
    guard let port = try number("port") else { return usual }
    guard port < 65_536 else { throw usage("--port wants a number up to 65535") }
    return port
  }
}
