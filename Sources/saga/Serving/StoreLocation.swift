import Foundation
import Persistence
import Runtime

/// Where events are kept, as `--store` names it.
enum StoreLocation: Sendable, Equatable {
  case sqlite(path: String)
  case postgres(url: String)
  case memory

  /// - Returns: nil for what names no store.
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

  /// As a person may read it: without what a URL may hold of passwords.
  var shown: String {
    switch self {
    case .sqlite(let path): "SQLite, \(path)"
    case .postgres: "Postgres"
    case .memory: "memory (nothing is kept)"
    }
  }

  func open(_ environment: Runtime.Environment) async throws -> any EventStore {
    switch self {
    case .memory: return MemoryStore(environment: environment)
    case .postgres(let url): return try await PostgresStore.open(url: url, environment: environment)
    case .sqlite(let path):
      let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
      do {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      } catch {
        throw CLIError(
          CLIErrorCode.configurationInvalid, "can't make the folder \(folder.path) for the store",
          advice: ["Another place: --store sqlite:PATH"])
      }
      return try await SQLiteStore.open(path: path, environment: environment)
    }
  }
}

extension Invocation {
  func store(else usual: StoreLocation) throws(UsageError) -> StoreLocation {
    guard let text = arguments.value("store") else { return usual }
    guard let store = StoreLocation(text) else {
      throw usage("--store wants sqlite:PATH, postgres:URL, or memory, not \"\(text)\"")
    }
    return store
  }

  func port(else usual: Int) throws(UsageError) -> Int {
    guard let port = try number("port") else { return usual }
    guard port < 65_536 else { throw usage("--port wants a number up to 65535") }
    return port
  }
}
