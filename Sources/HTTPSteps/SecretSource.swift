import Foundation
import Runtime
import Synchronization
import Values

/// A text that no log, error or description shows.
public struct Secret: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  package let text: String

  public init(_ text: String) { self.text = text }

  public var description: String { "(hidden)" }
  public var debugDescription: String { description }
  public var customMirror: Mirror { Mirror(reflecting: description) }
}

/// Where the value of a header or of a client's secret comes from.
public enum SecretSource: Sendable, Hashable {
  /// An environment variable, as it was when the process began.
  case variable(name: String, value: Secret)
  /// A file. It is read again during the run, so that a secret can be replaced without a restart.
  case file(path: String)
  /// A text of the configuration that anyone may read.
  case plain(String)

  /// 64 KiB. A longer file is not a secret.
  static let longestFile = 64 << 10

  /// Why a source has no value that a header can have. The message names the source and never the value.
  public struct Failure: Error, Sendable, Hashable {
    public let message: String
  }

  /// Returns the value now, without line breaks and blanks at its ends.
  public func current() throws(Failure) -> Secret {
    let (text, place) =
      switch self {
      case .variable(let name, let value): (value.text, "the variable \(name)")
      case .file(let path): (try Self.content(of: path), "the file \(path)")
      case .plain(let text): (text, "the plain value")
      }
    let value = text.trimmingCharacters(in: .whitespacesAndNewlines)
    guard !value.isEmpty else { throw Failure(message: "\(place) is empty") }
    guard value.utf8.allSatisfy({ ($0 >= 0x20 && $0 != 0x7F) || $0 == 0x09 }) else {
      throw Failure(message: "\(place) has a line break or a control character within its value")
    }
    return Secret(value)
  }

  private static func content(of path: String) throws(Failure) -> String {
    // A pipe would block the process until another program writes to it.
    let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw Failure(message: "can't read the file \(path): \(String(cString: strerror(errno)))")
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw Failure(message: "\(path) is not a file that can be read")
    }
    var bytes = [UInt8](repeating: 0, count: longestFile + 1)
    var count = 0
    while count < bytes.count {
      let got = bytes.withUnsafeMutableBytes { read(descriptor, $0.baseAddress?.advanced(by: count), $0.count - count) }
      if got < 0, errno == EINTR { continue }
      guard got >= 0 else {
        throw Failure(message: "can't read the file \(path): \(String(cString: strerror(errno)))")
      }
      if got == 0 { break }
      count += got
    }
    guard count <= longestFile else { throw Failure(message: "the file \(path) is longer than 64 KiB") }
    guard let text = String(validating: bytes[..<count], as: UTF8.self) else {
      throw Failure(message: "the file \(path) is not text in UTF-8")
    }
    return text
  }
}

/// The value of a source, as it was last read. A file is read again at most once a second.
final class KeptSecret: Sendable {
  private struct State {
    var value: Secret?
    var failure: SecretSource.Failure?
    var next: Timestamp?
  }
  private let source: SecretSource
  private let clock: any WallClock
  private let log: Log
  private let state = Mutex(State())

  init(_ source: SecretSource, clock: any WallClock, log: Log) {
    self.source = source
    self.clock = clock
    self.log = log
  }

  /// Returns the value. While its file can't be read, it returns the value that was read before, and logs that.
  /// - Parameter isDue: whether the file is read even if that was less than a second ago.
  func value(isDue: Bool = false) throws(SecretSource.Failure) -> Secret {
    let result = state.withLock { state -> Result<Secret, SecretSource.Failure> in
      let now = clock.now()
      if !isDue, let next = state.next, now < next, let value = state.value { return .success(value) }
      state.next = now + .seconds(1)
      do throws(SecretSource.Failure) {
        let value = try source.current()
        state.value = value
        state.failure = nil
        return .success(value)
      } catch {
        guard let value = state.value else { return .failure(error) }
        if state.failure != error {
          log.warning("Could not read a service's secret again; the earlier one stays in use", ("error", error.message))
        }
        state.failure = error
        return .success(value)
      }
    }
    return try result.get()
  }
}
