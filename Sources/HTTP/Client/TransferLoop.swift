import CCurl
import Foundation
import Runtime
import Synchronization
import Values

/// libcurl's multi interface on a thread of its own. How much is in flight is bounded here: with libcurl's own bound,
/// `curl_multi_poll` was seen to leave a waiting transfer stuck until its timeout.
final class TransferLoop: Sendable {
  /// The inputs from other threads.
  private struct Inbox: Sendable {
    var submitted: [Transfer] = []
    var cancelled: [Transfer] = []
    var stopping = false
    var ended = false
    /// nil once the thread has freed it.
    var multi: Multi?
  }

  // Sound: the only thing another thread does with it is `curl_multi_wakeup`, which is made for that, and under the
  // lock that the thread takes before it frees the handle.
  private struct Multi: @unchecked Sendable {
    let pointer: UnsafeMutableRawPointer
  }

  private let configuration: HTTPClientConfiguration
  private let inbox = Mutex(Inbox())
  private let end = Once<Void>()

  private static let libraryIsReady: Bool = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

  init(_ configuration: HTTPClientConfiguration) { self.configuration = configuration }

  func start() {
    guard Self.libraryIsReady, let pointer = curl_multi_init() else {
      // Out of memory: every call will say so.
      inbox.withLock { $0.ended = true }
      end.give()
      return
    }
    // Idle connections to keep; nothing to do with how many are in use.
    _ = tracseq_curl_multi_set_long(pointer, CURLMOPT_MAXCONNECTS, configuration.maxInFlight)
    let multi = Multi(pointer: pointer)
    inbox.withLock { $0.multi = multi }
    let thread = Thread { [self] in run(multi) }
    thread.name = "http-client"
    thread.start()
  }

  func submit(_ transfer: Transfer) {
    let accepted = inbox.withLock { inbox in
      guard !inbox.stopping, !inbox.ended else { return false }
      inbox.submitted.append(transfer)
      Self.wake(inbox)
      return true
    }
    if !accepted { transfer.fail(HTTPErrorCode.shutdown, "The client has been shut down.") }
  }

  func cancel(_ transfer: Transfer) {
    // Seen by the loop when the cancellation comes before the transfer itself.
    transfer.isCancelled.store(true, ordering: .releasing)
    inbox.withLock { inbox in
      inbox.cancelled.append(transfer)
      Self.wake(inbox)
    }
  }

  func stop() {
    inbox.withLock { inbox in
      inbox.stopping = true
      Self.wake(inbox)
    }
  }

  func ended() async { await end.value() }

  private static func wake(_ inbox: Inbox) {
    if let multi = inbox.multi { _ = curl_multi_wakeup(multi.pointer) }
  }

  // MARK: On the thread

  private func run(_ multi: Multi) {
    var work = TransferQueue(multi: multi.pointer, configuration: configuration)
    while true {
      let (submitted, cancelled, stopping) = inbox.withLock { inbox in
        defer {
          inbox.submitted = []
          inbox.cancelled = []
        }
        return (inbox.submitted, inbox.cancelled, inbox.stopping)
      }
      for transfer in submitted { work.add(transfer) }
      for transfer in cancelled { work.cancel(transfer) }
      if stopping { break }
      work.startWhatFits()
      work.perform()
      // A call that ended makes room for one in line: start it before sleeping.
      if work.hasRoomForWaiting { continue }
      _ = curl_multi_poll(multi.pointer, nil, 0, Int32(work.millisecondsToSleep), nil)
    }
    work.failAll()
    inbox.withLock { inbox in
      inbox.multi = nil
      inbox.ended = true
    }
    work.close()
    end.give()
  }
}
