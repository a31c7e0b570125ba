import CCurl
import Synchronization
import Values

/// The transfers of one loop: those in line, and those that libcurl is at work on. Lives on the loop's thread.
struct TransferQueue {
  private let multi: UnsafeMutableRawPointer
  private let configuration: HTTPClientConfiguration
  /// In the order they came.
  private var waiting: [Transfer] = []
  private var active: [UnsafeMutableRawPointer: Transfer] = [:]
  private var activeOfOrigin: [String: Int] = [:]
  private var keptConnections = KeptConnections()
  /// Servers that refused a request over a new HTTP/2 connection, and had libcurl want to send it again: they may ask for
  /// HTTP/1.1 (RFC 9113 §8.6). They are spoken to in HTTP/1.1 from then on.
  private var refusingHTTP2: Set<String> = []
  /// Handles to be used again.
  private var idle: [UnsafeMutableRawPointer] = []

  init(multi: UnsafeMutableRawPointer, configuration: HTTPClientConfiguration) {
    self.multi = multi
    self.configuration = configuration
  }

  mutating func add(_ transfer: Transfer) {
    transfer.maxHeaderBytes = configuration.maxResponseHeaderBytes
    if transfer.isCancelled.load(ordering: .acquiring) {
      transfer.fail(HTTPErrorCode.cancelled, "The call was cancelled.")
    } else {
      waiting.append(transfer)
    }
  }

  mutating func cancel(_ transfer: Transfer) {
    if let place = waiting.firstIndex(where: { $0 === transfer }) {
      waiting.remove(at: place)
    } else if let easy = active.first(where: { $0.value === transfer })?.key {
      remove(easy)
    }
    // Does nothing to a transfer that has ended.
    transfer.fail(HTTPErrorCode.cancelled, "The call was cancelled.")
  }

  var hasRoomForWaiting: Bool { waiting.contains { hasRoom(for: $0) } }

  /// Until the first of those in line is due to be given up. libcurl looks after those it has.
  var millisecondsToSleep: Int {
    guard let first = waiting.map(\.deadline).min() else { return 60_000 }
    return min(max(0, (first - .now).curlMilliseconds), 60_000)
  }

  mutating func startWhatFits() {
    guard !waiting.isEmpty else { return }
    var stillWaiting: [Transfer] = []
    let now = ContinuousClock.now
    for transfer in waiting {
      if transfer.deadline <= now {
        transfer.fail(HTTPErrorCode.timeout, "The call's time was up while it waited in line.")
      } else if hasRoom(for: transfer) {
        start(transfer)
      } else {
        stillWaiting.append(transfer)
      }
    }
    waiting = stillWaiting
  }

  private func hasRoom(for transfer: Transfer) -> Bool {
    active.count < configuration.maxInFlight
      && activeOfOrigin[transfer.origin, default: 0] < configuration.maxInFlightPerHost
  }

  private mutating func start(_ transfer: Transfer) {
    guard let easy = idle.popLast() ?? curl_easy_init() else {
      transfer.fail(HTTPErrorCode.invalidRequest, "The call can't be made: out of memory.")
      return
    }
    do {
      try EasyHandle(pointer: easy).prepare(
        transfer, configuration, usesNewConnection: keptConnections.areDistrusted(transfer.origin),
        usesHTTP2: !refusingHTTP2.contains(transfer.origin))
    } catch {
      curl_easy_reset(easy)
      idle.append(easy)
      transfer.finish(.failure(error))
      return
    }
    active[easy] = transfer
    activeOfOrigin[transfer.origin, default: 0] += 1
    let added = curl_multi_add_handle(multi, easy)
    if added != CURLM_OK {
      release(easy)
      transfer.fail(
        HTTPErrorCode.invalidRequest, "The call can't be made: \(String(cString: curl_multi_strerror(added))).")
    }
  }

  mutating func perform() {
    var running: Int32 = 0
    _ = curl_multi_perform(multi, &running)
    var left: Int32 = 0
    while let message = curl_multi_info_read(multi, &left) {
      guard message.pointee.msg == CURLMSG_DONE, let easy = message.pointee.easy_handle else { continue }
      // Read before the handle is removed: the message doesn't outlive that.
      let result = message.pointee.data.result
      let status = tracseq_curl_get_long(easy, CURLINFO_RESPONSE_CODE)
      guard let transfer = remove(easy) else { continue }
      if transfer.refusedRepeat, !transfer.usedKeptConnection { refusingHTTP2.insert(transfer.origin) }
      if transfer.lostKeptConnection(result) {
        keptConnections.lost(transfer.origin)
      } else if transfer.usedKeptConnection, transfer.status != nil {
        keptConnections.answered(transfer.origin)
      }
      if result == CURLE_OK { transfer.succeed(status: status) } else { transfer.end(result) }
    }
  }

  mutating func failAll() {
    for easy in Array(active.keys) {
      remove(easy)?.fail(HTTPErrorCode.shutdown, "The client was shut down during the call.")
    }
    for transfer in waiting { transfer.fail(HTTPErrorCode.shutdown, "The client was shut down before the call.") }
    waiting = []
  }

  /// Frees everything. Nothing may be active.
  mutating func close() {
    for easy in idle { curl_easy_cleanup(easy) }
    idle = []
    _ = curl_multi_cleanup(multi)
  }

  @discardableResult
  private mutating func remove(_ easy: UnsafeMutableRawPointer) -> Transfer? {
    _ = curl_multi_remove_handle(multi, easy)
    return release(easy)
  }

  @discardableResult
  private mutating func release(_ easy: UnsafeMutableRawPointer) -> Transfer? {
    curl_easy_reset(easy)
    idle.append(easy)
    guard let transfer = active.removeValue(forKey: easy) else { return nil }
    let left = activeOfOrigin[transfer.origin, default: 1] - 1
    activeOfOrigin[transfer.origin] = left > 0 ? left : nil
    return transfer
  }
}
