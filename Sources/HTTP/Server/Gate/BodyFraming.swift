import Values

/// Finds the end of a body as its bytes arrive, and takes its content out of its chunks (RFC 9112 §7.1).
struct BodyFraming {
  private enum Phase: Equatable {
    /// This many bytes of content follow; in a chunk, CR LF follows them.
    case content(Int)
    case afterContent
    case sizeLine
    case trailer
    case whole
  }

  /// The longest line that says a chunk's size, with its extensions.
  private static let maxSizeLine = 256

  private let isChunked: Bool
  private let configuration: HTTPServerConfiguration
  private var phase: Phase
  /// Bytes of content so far, and of trailers.
  private(set) var contentBytes = 0
  private var trailerBytes = 0
  private var trailers = HTTPHeaders()

  init(_ length: RequestHeadParser.BodyLength, configuration: HTTPServerConfiguration) {
    self.configuration = configuration
    switch length {
    case .exactly(0): (isChunked, phase) = (false, .whole)
    case .exactly(let count): (isChunked, phase) = (false, .content(count))
    case .chunked: (isChunked, phase) = (true, .sizeLine)
    }
  }

  var isWhole: Bool { phase == .whole }

  /// Takes what has arrived.
  /// - Returns: how many of the bytes were taken, and which of them are content. The caller brings the rest again,
  ///   with what follows.
  mutating func take(_ bytes: ArraySlice<UInt8>) throws(Problem) -> (taken: Int, content: [Range<Int>]) {
    var place = bytes.startIndex
    var content: [Range<Int>] = []
    loop: while place < bytes.endIndex {
      switch phase {
      case .whole: break loop
      case .content(let left):
        let count = min(left, bytes.endIndex - place)
        content.append(place..<(place + count))
        place += count
        contentBytes += count
        phase = left > count ? .content(left - count) : isChunked ? .afterContent : .whole
      case .afterContent:
        guard let line = try Self.line(in: bytes[place...], atMost: 0) else { break loop }
        guard line.isEmpty else { throw Self.malformed("A chunk is longer than it says.") }
        place += 2
        phase = .sizeLine
      case .sizeLine:
        guard let line = try Self.line(in: bytes[place...], atMost: Self.maxSizeLine) else { break loop }
        let size = try chunkSize(line)
        place = line.endIndex + 2
        phase = size == 0 ? .trailer : .content(size)
      case .trailer:
        guard let line = try Self.line(in: bytes[place...], atMost: configuration.maxHeaderBytes) else { break loop }
        trailerBytes += line.count + 2
        guard trailerBytes <= configuration.maxHeaderBytes, trailers.count < RequestHeadParser.maxFields else {
          throw Problem(431, HTTPErrorCode.headersTooLarge, detail: "The trailers behind the body are too long.")
        }
        place = line.endIndex + 2
        // Trailers are checked and passed over: no route reads one.
        if line.isEmpty { phase = .whole } else { try trailers.add(field: line) }
      }
    }
    return (place - bytes.startIndex, content)
  }

  /// A line up to its CR LF, or nil while it is incomplete.
  private static func line(in bytes: ArraySlice<UInt8>, atMost limit: Int) throws(Problem) -> ArraySlice<UInt8>? {
    for index in bytes.indices {
      let byte = bytes[index]
      if byte == .carriageReturn {
        guard index + 1 < bytes.endIndex else { return nil }
        guard bytes[index + 1] == .lineFeed else { throw malformed("A line of the body's framing has a bare CR.") }
        return bytes[..<index]
      }
      guard byte >= 0x20 || byte == .tab, byte != 0x7F else {
        throw malformed("A line of the body's framing has a control character, or a line feed alone.")
      }
      guard index - bytes.startIndex < limit else { throw malformed("A line of the body's framing is too long.") }
    }
    return nil
  }

  private func chunkSize(_ line: ArraySlice<UInt8>) throws(Problem) -> Int {
    let digits = line.prefix { $0.hexDigit != nil }
    let rest = line[digits.endIndex...]
    // Extensions are passed over, as every server may.
    guard !digits.isEmpty, rest.isEmpty || rest.first == UInt8(ascii: ";") else {
      throw Self.malformed("A chunk must begin with its size in hexadecimal digits.")
    }
    var size = 0
    for digit in digits {
      size = size << 4 | Int(digit.hexDigit ?? 0)
      // Checked at every digit, so that no number of them overflows.
      guard size <= configuration.maxBodyBytes - contentBytes else { throw configuration.bodyTooLarge }
    }
    return size
  }

  private static func malformed(_ detail: String) -> Problem { RequestHeadParser.malformed(detail) }
}

// The framing of a body for libmicrohttpd: the same content in chunks of the gate's own, without extensions and trailers.
extension BodyFraming {
  func carried(_ content: ArraySlice<UInt8>) -> [UInt8] {
    isChunked
      ? Array("\(String(content.count, radix: 16))\r\n".utf8) + content + [.carriageReturn, .lineFeed] : Array(content)
  }

  /// The bytes after the last content.
  var end: [UInt8] { isChunked ? Array("0\r\n\r\n".utf8) : [] }
}
