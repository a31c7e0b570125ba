import Dispatch
import Foundation
import HTTP
import Runtime

/// The options for the engine's certificate.
enum CertificateOptions {
  static let all = [
    OptionSpec(
      "tls-cert", value: "FILE",
      help: "speak HTTPS with this certificate in PEM, and behind it those of its issuers; SIGHUP reads the files again"
    ),
    OptionSpec(
      "tls-key", value: "FILE",
      help: "its private key in PEM, without a passphrase; users outside the file's group may not read it"),
  ]
}

extension Invocation {
  /// Returns the certificate from `CertificateOptions`; nil for a server without TLS.
  /// - Throws: `http.certificateUnusable`.
  func certificate() throws -> ServerCertificate? {
    switch (arguments.value("tls-cert"), arguments.value("tls-key")) {
    case (nil, nil): return nil
    case (let certificate?, let key?):
      return try ServerCertificate(certificate: certificate, key: key, now: environment.wallNow())
    case (_?, nil): throw usage("--tls-cert needs --tls-key FILE, the private key of the certificate")
    case (nil, _?): throw usage("--tls-key needs --tls-cert FILE, the certificate of the key")
    }
  }
}

/// Reads the engine's certificate again at each SIGHUP. Without TLS that signal ends the process, as it always does.
struct CertificateReload: Sendable {
  let certificate: ServerCertificate
  let terminal: Terminal
  let environment: Runtime.Environment
  let log: Log

  /// Logs what should be known of the certificate, and listens for signals until the process ends.
  func listen() {
    warn()
    // A queue of its own: a slow disk must not delay the signals that stop the process.
    let queue = DispatchQueue(label: "certificate")
    _ = signal(SIGHUP, SIG_IGN)
    let source = DispatchSource.makeSignalSource(signal: SIGHUP, queue: queue)
    // The handler retains its own source: both live as long as the process.
    source.setEventHandler {
      _ = source
      reload()
    }
    source.resume()
  }

  func reload() {
    do throws(HTTPServerError) {
      try certificate.reload(now: environment.wallNow())
      terminal.line("The certificate was read again; it is valid until \(certificate.expiresAt)")
    } catch {
      log.error(
        "Could not read the certificate again; the one that was read before is still shown", ("code", error.code),
        ("error", error.message))
      return
    }
    warn()
  }

  private func warn() {
    for notice in certificate.notices(at: environment.wallNow()) {
      log.warning("The certificate needs attention", ("code", notice.code), ("error", notice.message))
    }
  }
}
