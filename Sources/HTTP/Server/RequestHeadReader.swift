import CMicrohttpd
import Foundation

/// Reads the head of a request out of libmicrohttpd and refuses what it lets through.
///
/// libmicrohttpd 0.9.75 takes strings up to a NUL, joins a folded header line to the header's *name*, lets lines end
/// in a bare LF, and takes contradicting lengths. Two servers that read such a request differently can be made to
/// disagree on where it ends, so it is refused whole. To see it, the reader checks that the head lies in memory as a
/// plain head does: method, target, version, then name, value, name, value, each line followed by the two zeros that
/// stand where CR and LF stood.
struct RequestHeadReader {
  private struct Field {
    let name: UnsafeBufferPointer<CChar>
    let value: UnsafeBufferPointer<CChar>
  }

  let connection: OpaquePointer
  let line: Exchange.Line
  let target: String
  let configuration: HTTPServerConfiguration

  func read(method: UnsafePointer<CChar>, version: UnsafePointer<CChar>) throws(Problem) -> RequestHead {
    let fields = rawFields()
    // 1. The bytes: nothing hidden between the parts that libmicrohttpd found.
    guard method + strlen(method) + 1 == line.start, line.start + line.length + 1 == version else {
      throw malformed("The request line isn't a method, a target and a version with one space between.")
    }
    var next = version + strlen(version)
    guard Self.isLineEnd(next) else { throw malformed("The request line doesn't end in CR LF.") }
    next += 2
    for field in fields {
      guard field.name.baseAddress == next else { throw malformed("A header line is folded, or holds a NUL.") }
      var value = next + field.name.count + 1
      while value.pointee == 0x20 || value.pointee == 0x09 { value += 1 }
      guard field.value.baseAddress == value, Self.isLineEnd(value + field.value.count) else {
        throw malformed("A header line holds a NUL or doesn't end in CR LF.")
      }
      next = value + field.value.count + 2
    }
    guard next.pointee == 0 else { throw malformed("A header line holds a NUL or doesn't end in CR LF.") }
    let size = next - method
    guard size <= configuration.maxHeaderBytes else {
      throw Problem(
        431, HTTPErrorCode.headersTooLarge,
        detail: "The request's headers are longer than \(configuration.maxHeaderBytes) bytes.")
    }
    // 2. The words.
    let name = String(cString: method)
    guard name.isHTTPToken else { throw malformed("The method isn't a word that HTTP allows.") }
    let headers = try Self.headers(of: fields)
    // 3. What they say together.
    try checkFraming(headers)
    if String(cString: version) == "HTTP/1.1" {
      guard headers.all("Host").count == 1 else { throw malformed("The request needs one Host header.") }
    }
    let target = try RequestTarget(parsing: target)
    let peer = ListeningSocket.host(of: tracseq_mhd_peer(connection))
    return RequestHead(method: name, target: target, headers: headers, remoteAddress: peer)
  }

  private static func isLineEnd(_ place: UnsafePointer<CChar>) -> Bool { place[0] == 0 && place[1] == 0 }

  private func rawFields() -> [Field] {
    var fields: [Field] = []
    withUnsafeMutablePointer(to: &fields) { fields in
      _ = MHD_get_connection_values_n(
        connection, .HEADER_KIND,
        { context, _, name, nameSize, value, valueSize in
          context?.assumingMemoryBound(to: [Field].self).pointee.append(
            Field(
              name: UnsafeBufferPointer(start: name, count: nameSize),
              value: UnsafeBufferPointer(start: value, count: value == nil ? 0 : valueSize)))
          return .YES
        }, fields)
    }
    return fields
  }

  private static func headers(of fields: [Field]) throws(Problem) -> HTTPHeaders {
    var headers = HTTPHeaders()
    for field in fields {
      let name = String(decoding: UnsafeRawBufferPointer(field.name), as: UTF8.self)
      guard name.isHTTPToken else { throw malformed("A header's name isn't a word that HTTP allows.") }
      guard let value = String(validating: UnsafeRawBufferPointer(field.value), as: UTF8.self),
        value.isHTTPFieldValue
      else { throw malformed("The header \(name) has a control character, or isn't UTF-8.") }
      headers.add(name, String(value.trimmedOfBlanks))
    }
    return headers
  }

  /// One length, said in one way (RFC 9112 §6).
  private func checkFraming(_ headers: HTTPHeaders) throws(Problem) {
    let lengths = headers.all("Content-Length")
    let encodings = headers.all("Transfer-Encoding")
    guard lengths.isEmpty || encodings.isEmpty else {
      throw Problem(
        400, HTTPErrorCode.ambiguousLength,
        detail: "The request has both Content-Length and Transfer-Encoding; where its body ends is open to doubt.")
    }
    guard lengths.count <= 1 else {
      throw Problem(
        400, HTTPErrorCode.ambiguousLength, detail: "The request has more than one Content-Length.")
    }
    guard encodings.isEmpty || (encodings.count == 1 && encodings[0].isSameHeaderName(as: "chunked")) else {
      throw Problem(
        501, HTTPErrorCode.unsupportedTransferEncoding, detail: "The only Transfer-Encoding taken is chunked.")
    }
    guard let length = lengths.first else { return }
    guard !length.isEmpty, length.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
      throw malformed("The Content-Length isn't a number.")
    }
    guard let length = Int(length), length <= configuration.maxBodyBytes else { throw configuration.bodyTooLarge }
  }
}

private func malformed(_ detail: String) -> Problem { Problem(400, HTTPErrorCode.badRequest, detail: detail) }

extension HTTPServerConfiguration {
  var bodyTooLarge: Problem {
    Problem(413, HTTPErrorCode.bodyTooLarge, detail: "The body is longer than \(maxBodyBytes) bytes.")
  }
}
