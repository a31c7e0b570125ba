import CCurl
import Synchronization

/// One call on its way. Its continuation is resumed exactly once, by the loop's thread.
// Sound: after `submit` every unguarded member is touched by the loop's thread alone, on which libcurl calls its
// callbacks too; `isCancelled` is the only thing another thread reads or writes, and it is atomic.
final class Transfer: @unchecked Sendable {
  typealias Outcome = Result<HTTPClientResponse, HTTPClientError>

  let request: HTTPClientRequest
  let origin: String
  let deadline: ContinuousClock.Instant
  let isCancelled = Atomic<Bool>(false)

  private var continuation: CheckedContinuation<Outcome, Never>?
  var headerList: UnsafeMutablePointer<curl_slist>?
  /// The limit on the headers of the answer.
  var maxHeaderBytes = 0
  /// Set before libcurl writes the first byte of the request, on whichever connection.
  private(set) var sent = false
  private(set) var refusedRepeat = false
  private(set) var tooLarge = false
  private var headers = HTTPHeaders()
  private var headerBytes = 0
  private var body: [UInt8] = []

  init(_ request: HTTPClientRequest) {
    self.request = request
    origin = request.origin
    deadline = .now + request.timeout
  }

  deinit { curl_slist_free_all(headerList) }

  func begin(_ continuation: CheckedContinuation<Outcome, Never>) { self.continuation = continuation }

  func finish(_ outcome: Outcome) {
    continuation?.resume(returning: outcome)
    continuation = nil
  }

  func fail(_ code: String, _ message: String) {
    finish(.failure(HTTPClientError(code: code, message: message, sent: sent)))
  }

  func succeed(status: Int) {
    finish(.success(HTTPClientResponse(status: status, headers: headers, body: body)))
  }

  /// A connection is up and the request is about to be written to it.
  /// - Returns: false to write nothing.
  func willWrite() -> Bool {
    if sent, !request.mayBeRepeated {
      refusedRepeat = true
      return false
    }
    sent = true
    return true
  }

  /// - Returns: false to end the transfer.
  func receiveHeader(_ line: UnsafeRawBufferPointer) -> Bool {
    headerBytes += line.count
    guard headerBytes <= maxHeaderBytes else {
      tooLarge = true
      return false
    }
    let text = String(decoding: line, as: UTF8.self)
    if text.hasPrefix("HTTP/") {
      // Each interim answer (100, 103) has headers of its own; the last answer's count.
      headers = HTTPHeaders()
    } else if let colon = text.firstIndex(of: ":") {
      let value = text[text.index(after: colon)...].filter { $0 != "\r\n" && $0 != "\r" && $0 != "\n" }
      headers.add(String(text[..<colon]), String(String(value).trimmedOfBlanks))
    }
    return true
  }

  /// - Returns: false to end the transfer.
  func receiveBody(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard body.count + bytes.count <= request.maxResponseBytes else {
      tooLarge = true
      return false
    }
    body.append(contentsOf: bytes)
    return true
  }
}
