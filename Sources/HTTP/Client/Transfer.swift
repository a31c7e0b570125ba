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
  var nameList: UnsafeMutablePointer<curl_slist>?
  /// The call of libcurl's before each connection.
  let peerCheck = UnsafeMutablePointer<tracseq_curl_peer_check>.allocate(capacity: 1)
  /// The address to which no connection was opened, because it is a `RefusedAddress`.
  var refusedAddress: RefusedAddress?
  /// The limit on the headers of the answer.
  var maxHeaderBytes = 0
  /// The handle that carries it.
  var easy: UnsafeMutableRawPointer?
  /// Set before libcurl writes the first byte of the request.
  private(set) var sent = false
  /// Whether the request was written to a connection that had carried another before.
  private(set) var usedKeptConnection = false
  /// Whether libcurl wanted to write the request a second time.
  private(set) var refusedRepeat = false
  private(set) var tooLarge = false
  /// The status of the answer, once its status line has come. 1xx are not the answer.
  private(set) var status: Int?
  private var reason = ""
  private var headIsRead = false
  private var headers = HTTPHeaders()
  private var headerBytes = 0
  private var body: [UInt8] = []

  init(_ request: HTTPClientRequest) {
    self.request = request
    origin = request.origin
    deadline = .now + request.timeout
    peerCheck.initialize(to: tracseq_curl_peer_check())
  }

  deinit {
    curl_slist_free_all(headerList)
    curl_slist_free_all(nameList)
    peerCheck.deallocate()
  }

  func begin(_ continuation: CheckedContinuation<Outcome, Never>) { self.continuation = continuation }

  func finish(_ outcome: Outcome) {
    continuation?.resume(returning: outcome)
    continuation = nil
  }

  func fail(_ code: String, _ message: String) {
    finish(.failure(HTTPClientError(code: code, message: message, sent: sent)))
  }

  /// - Parameter bodyError: why the body isn't whole; nil when it is.
  func succeed(status: Int, bodyError: HTTPClientError? = nil) {
    finish(
      .success(
        HTTPClientResponse(status: status, headers: headers, body: body, reason: reason, bodyError: bodyError)))
  }

  /// A connection is up and the request is about to be written to it.
  /// - Returns: false the second time: what libcurl would repeat by itself, no caller would know of.
  func mayWrite() -> Bool {
    guard !sent else {
      refusedRepeat = true
      return false
    }
    sent = true
    usedKeptConnection = easy.map { tracseq_curl_get_long($0, CURLINFO_NUM_CONNECTS) == 0 } ?? false
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
    if text.hasPrefix("HTTP/"), !headIsRead {
      // Each interim answer (100, 103) has headers of its own; the last answer's count.
      headers = HTTPHeaders()
      readStatusLine(text)
    } else if text == "\r\n" || text == "\n" {
      headIsRead = status != nil
    } else if !headIsRead, let colon = text.firstIndex(of: ":") {
      // Trailers after the body don't count as headers, because they could contradict the headers.
      let value = text[text.index(after: colon)...].filter { $0 != "\r\n" && $0 != "\r" && $0 != "\n" }
      headers.add(String(text[..<colon]), String(String(value).trimmedOfBlanks))
    }
    return true
  }

  /// `HTTP/1.1 409 Conflict`, `HTTP/2 409`
  private func readStatusLine(_ line: String) {
    let words = line.trimmingPrefix("HTTP/").split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
    guard words.count > 1, let code = Int(words[1].prefix { $0.isASCII && $0.isNumber }), code >= 200 || code == 101
    else { return }
    status = code
    reason = words.count > 2 ? String(String(words[2].filter { !$0.isNewline }).trimmedOfBlanks) : ""
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
