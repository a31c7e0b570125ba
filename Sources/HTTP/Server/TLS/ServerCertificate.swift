import CSystem
import CTLS
import Foundation
import Synchronization
import Values

/// The certificate that a server shows, from files in PEM, and what must be said about it.
///
/// `reload` reads the files again. New connections then get the new certificate; those that are open go on. When the files
/// can't be used, the certificate that was read before stays.
public final class ServerCertificate: Sendable, Hashable {
  /// What an operator should know about the certificate.
  public struct Notice: Sendable, Hashable {
    public let code: String
    public let message: String
  }

  private struct State: Sendable {
    var loaded: TLSContext
    var problem: HTTPServerError?
  }

  private let certificatePath: String
  private let keyPath: String
  private let state: Mutex<State>

  /// Reads the files.
  /// - Parameters:
  ///   - certificate: the server's certificate, and behind it those of its issuers.
  ///   - key: its private key, without a passphrase. Users outside the file's group may not read it.
  ///   - now: by the wall clock.
  /// - Throws: `http.certificateUnusable` when the server could not be reached with these files.
  public init(certificate: String, key: String, now: Timestamp) throws(HTTPServerError) {
    certificatePath = certificate
    keyPath = key
    state = Mutex(State(loaded: try TLSContext(certificate: certificate, key: key, now: now)))
  }

  /// Reads the files again.
  /// - Parameter now: by the wall clock.
  /// - Throws: `http.certificateUnusable`; then the certificate that was read before stays.
  public func reload(now: Timestamp) throws(HTTPServerError) {
    do throws(HTTPServerError) {
      let loaded = try TLSContext(certificate: certificatePath, key: keyPath, now: now)
      state.withLock { $0 = State(loaded: loaded) }
    } catch {
      state.withLock { $0.problem = error }
      throw error
    }
  }

  /// The end of the time for which the certificate is valid.
  public var expiresAt: Timestamp { loaded.end }

  /// Returns why the last reload failed, and whether the certificate ends soon or has ended.
  /// - Parameter now: by the wall clock.
  public func notices(at now: Timestamp) -> [Notice] {
    let (loaded, problem) = state.withLock { ($0.loaded, $0.problem) }
    var notices: [Notice] = []
    if let problem {
      notices.append(
        Notice(code: problem.code, message: "\(problem.message) The certificate that was read before is still shown."))
    }
    if now >= loaded.end {
      notices.append(
        Notice(
          code: HTTPErrorCode.certificateEnding,
          message: "The server's certificate expired at \(loaded.end). Clients refuse to connect."))
    } else if loaded.end - now < loaded.noticeTime {
      notices.append(
        Notice(code: HTTPErrorCode.certificateEnding, message: "The server's certificate expires at \(loaded.end)."))
    }
    return notices
  }

  private var loaded: TLSContext { state.withLock { $0.loaded } }

  /// - Returns: nil when there is no memory.
  func session() -> TLSSession? { TLSSession(loaded) }

  public static func == (left: ServerCertificate, right: ServerCertificate) -> Bool { left === right }
  public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}

/// OpenSSL's settings and keys, from which each connection is made. Open connections keep theirs.
final class TLSContext: Sendable {
  // Sound: after its creation the context is only read, and OpenSSL counts its references across threads.
  private struct Handle: @unchecked Sendable {
    let pointer: OpaquePointer
  }

  /// The longest time before the end in which the end is worth a notice.
  private static let longestNotice = Duration.seconds(14 * 86_400)
  /// More is not a certificate.
  private static let mostBytes = 1 << 20

  private let handle: Handle
  var pointer: OpaquePointer { handle.pointer }
  let end: Timestamp
  /// The time before `end` in which the end is worth a notice: 14 days, or less for a certificate of few days.
  let noticeTime: Duration

  init(certificate path: String, key keyPath: String, now: Timestamp) throws(HTTPServerError) {
    guard let context = saga_tls_context() else {
      throw Self.unusable("OpenSSL can't be set up: \(Self.why())")
    }
    // A throwing initializer of a class frees nothing by itself.
    do throws(HTTPServerError) {
      (end, noticeTime) = try Self.load(context, path, keyPath, now)
    } catch {
      SSL_CTX_free(context)
      throw error
    }
    handle = Handle(pointer: context)
  }

  deinit { SSL_CTX_free(handle.pointer) }

  private static func load(
    _ context: OpaquePointer, _ path: String, _ keyPath: String, _ now: Timestamp
  ) throws(HTTPServerError) -> (end: Timestamp, notice: Duration) {
    let chain = try certificates(path)
    defer { for one in chain { X509_free(one) } }
    guard let certificate = chain.first else {
      throw unusable("\(path) has no certificate: it must begin with -----BEGIN CERTIFICATE-----")
    }
    let key = try privateKey(keyPath)
    defer { EVP_PKEY_free(key) }
    guard saga_tls_fits(certificate, key) == 1 else {
      throw unusable(
        "the key in \(keyPath) does not belong to the first certificate in \(path); the server's own comes first there")
    }
    guard saga_tls_use(context, certificate) == 1, saga_tls_use_key(context, key) == 1 else {
      throw unusable("\(path) can't be used: \(why())")
    }
    for issuer in chain.dropFirst() {
      // The context takes over one reference.
      X509_up_ref(issuer)
      guard saga_tls_add_issuer(context, issuer) == 1 else {
        X509_free(issuer)
        throw unusable("a certificate of an issuer in \(path) can't be used: \(why())")
      }
    }
    var start: Int64 = 0
    var end: Int64 = 0
    guard saga_tls_not_before(certificate, &start) == 1, saga_tls_not_after(certificate, &end) == 1,
      abs(start) < 1 << 40, abs(end) < 1 << 40
    else { throw unusable("the certificate in \(path) has no time that can be read") }
    let (from, until) = (Timestamp(milliseconds: start * 1000), Timestamp(milliseconds: end * 1000))
    guard now < until else { throw unusable("the certificate in \(path) expired at \(until)") }
    guard now >= from else {
      throw unusable("the certificate in \(path) is valid from \(from) on, and now it is \(now)")
    }
    return (until, min(longestNotice, (until - from) / 3))
  }

  private static func certificates(_ path: String) throws(HTTPServerError) -> [OpaquePointer] {
    let bytes = try read(path, isSecret: false)
    var chain: [OpaquePointer] = []
    let isRead = bytes.withUnsafeBytes { bytes in
      guard let pem = saga_tls_bytes(bytes.baseAddress, bytes.count) else { return false }
      defer { BIO_free(pem) }
      while let next = saga_tls_next_certificate(pem) { chain.append(next) }
      return ERR_peek_last_error() == 0
    }
    guard isRead else {
      for one in chain { X509_free(one) }
      throw unusable("certificate \(chain.count + 1) in \(path) can't be read: \(why())")
    }
    return chain
  }

  private static func privateKey(_ path: String) throws(HTTPServerError) -> OpaquePointer {
    var bytes = try read(path, isSecret: true)
    let key = bytes.withUnsafeBytes { bytes -> OpaquePointer? in
      guard let pem = saga_tls_bytes(bytes.baseAddress, bytes.count) else { return nil }
      defer { BIO_free(pem) }
      return saga_tls_private_key(pem)
    }
    bytes.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) }
    guard let key else {
      throw unusable(
        "\(path) has no private key that can be read: \(why()). It must be PEM without a passphrase; "
          + "`openssl pkey` takes one off")
    }
    return key
  }

  private static func read(_ path: String, isSecret: Bool) throws(HTTPServerError) -> [UInt8] {
    // A pipe would make the process wait for its writer.
    let file = saga_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0)
    guard file >= 0 else { throw unusable("\(path) can't be read: \(String(cString: strerror(errno)))") }
    defer { _ = close(file) }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw unusable("\(path) is not a file")
    }
    if isSecret {
      guard status.st_mode & (S_IROTH | S_IWOTH | S_IWGRP) == 0 else {
        throw unusable("other users can read or change the key in \(path); `chmod 600 \(path)` forbids that")
      }
    }
    guard status.st_size <= mostBytes else { throw unusable("\(path) is larger than \(mostBytes) bytes") }
    var bytes = [UInt8](repeating: 0, count: mostBytes)
    var count = 0
    while count < bytes.count {
      let more = bytes.withUnsafeMutableBytes { Foundation.read(file, $0.baseAddress! + count, $0.count - count) }
      if more < 0, errno == EINTR { continue }
      guard more >= 0 else { throw unusable("\(path) can't be read: \(String(cString: strerror(errno)))") }
      if more == 0 { break }
      count += more
    }
    defer { if isSecret { bytes.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) } } }
    return Array(bytes[..<count])
  }

  /// OpenSSL's words for its last error.
  private static func why() -> String {
    var text = [CChar](repeating: 0, count: 256)
    saga_tls_why(&text, text.count)
    let words = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return words.isEmpty ? "OpenSSL does not say why" : words
  }

  private static func unusable(_ why: String) -> HTTPServerError {
    HTTPServerError(HTTPErrorCode.certificateUnusable, "The server's certificate can't be used: \(why).")
  }
}
