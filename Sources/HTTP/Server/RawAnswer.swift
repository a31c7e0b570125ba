import Values

/// Answers that are written past libmicrohttpd.
enum RawAnswer {
  /// Writes what fits into the socket's buffer: an answer of this size does, because nothing else is being written.
  static func send(_ bytes: [UInt8], to socket: Int32) {
    // A client that is gone needs no answer.
    _ = bytes.withUnsafeBytes { Socket.send(socket, $0) }
  }
}

extension Problem {
  /// The whole answer as bytes, after which the connection is closed.
  func rawAnswer(withBody: Bool) -> [UInt8] {
    let answer = HTTPServerResponse.problem(self).withStandardHeaders
    let body = answer.body.bytes ?? []
    var head = "HTTP/1.1 \(status) \(HTTPStatus.phrase(status))\r\n"
    for (name, value) in answer.headers { head += "\(name): \(value)\r\n" }
    head += "Content-Length: \(body.count)\r\nConnection: close\r\n\r\n"
    return Array(head.utf8) + (withBody ? body : [])
  }
}
