import CSystem
import Foundation

/// The input and the output of a command. Tests use one that keeps the written text.
struct Terminal: Sendable {
  /// Standard output.
  let write: @Sendable (String) -> Void
  /// Standard error.
  let complain: @Sendable (String) -> Void
  /// The next bytes of standard input; nil at its end.
  let read: @Sendable () -> [UInt8]?
  /// Whether standard output is a terminal.
  let isTerminal: Bool
  let style: Style
  let errorStyle: Style

  func line(_ text: String) { write(text + "\n") }

  /// Returns all of standard input.
  func readAll() -> [UInt8] {
    var bytes: [UInt8] = []
    while let more = read() { bytes += more }
    return bytes
  }

  /// The process's own streams. Output is written immediately, without a buffer.
  static func standard(_ variables: [String: String]) -> Terminal {
    let colourful = variables["NO_COLOR", default: ""].isEmpty && variables["TERM"] != "dumb"
    let isTerminal = isatty(STDOUT_FILENO) == 1
    return Terminal(
      write: { put(Array($0.utf8), to: STDOUT_FILENO) },
      complain: { put(Array($0.utf8), to: STDERR_FILENO) },
      read: { take(from: STDIN_FILENO) },
      isTerminal: isTerminal,
      style: Style(coloured: colourful && isTerminal),
      errorStyle: Style(coloured: colourful && isatty(STDERR_FILENO) == 1))
  }

  private static func put(_ bytes: [UInt8], to descriptor: Int32) {
    var written = 0
    while written < bytes.count {
      let count = bytes[written...].withUnsafeBytes { CSystem.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR || errno == EAGAIN { continue }
      // The reader has closed the pipe.
      if count <= 0 { return }
      written += count
    }
  }

  private static func take(from descriptor: Int32) -> [UInt8]? {
    while true {
      var failed: Int32 = 0
      let bytes = [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, count in
        let got = CSystem.read(descriptor, buffer.baseAddress, buffer.count)
        failed = got < 0 ? errno : 0
        count = max(0, got)
      }
      if failed == EINTR { continue }
      return bytes.isEmpty ? nil : bytes
    }
  }
}

/// Splits the input into lines, without decoding the bytes.
struct ByteLines {
  private let read: @Sendable () -> [UInt8]?
  private var buffer: [UInt8] = []
  private var start = 0
  private var ended = false

  init(_ read: @escaping @Sendable () -> [UInt8]?) { self.read = read }

  /// - Returns: the next line without its line feed; nil after the last. A last line need not end in a line feed.
  mutating func next() -> [UInt8]? {
    var searched = start
    while true {
      if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
        defer { start = end + 1 }
        return Array(buffer[start..<end])
      }
      if ended {
        defer { start = buffer.count }
        return start < buffer.count ? Array(buffer[start...]) : nil
      }
      buffer.removeFirst(start)
      start = 0
      searched = buffer.count
      if let more = read() { buffer += more } else { ended = true }
    }
  }
}
