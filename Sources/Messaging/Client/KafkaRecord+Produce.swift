import CKafka

extension KafkaRecord {
  /// Gives the message to a client; the client copies it.
  func produce(on client: OpaquePointer, token: UInt64) -> rd_kafka_resp_err_t {
    var made: OpaquePointer?
    if !headers.isEmpty {
      let list: OpaquePointer = rd_kafka_headers_new(headers.count)
      for header in headers {
        _ = header.value.withUnsafeBytes { value in
          rd_kafka_header_add(list, header.name, -1, value.baseAddress, value.count)
        }
      }
      made = list
    }
    let code = Self.bytes(key) { key, keyLength in
      Self.bytes(value) { value, valueLength in
        tracseq_kafka_produce(
          client, topic, partition.map(Int32.init) ?? -1, key, keyLength, value, valueLength, made,
          UnsafeMutableRawPointer(bitPattern: UInt(token)))
      }
    }
    if code != RD_KAFKA_RESP_ERR_NO_ERROR, let made { rd_kafka_headers_destroy(made) }
    return code
  }

  /// Passes bytes as pointer and length: nil as a null pointer, empty bytes as a valid pointer with the length 0.
  private static func bytes<Value>(_ bytes: [UInt8]?, _ body: (UnsafeRawPointer?, Int) -> Value) -> Value {
    guard let bytes else { return body(nil, 0) }
    if bytes.isEmpty { return withUnsafeBytes(of: UInt8(0)) { body($0.baseAddress, 0) } }
    return bytes.withUnsafeBytes { body($0.baseAddress, $0.count) }
  }
}

extension CloudEvent {
  /// Gives the event to a client in binary mode; the client copies it.
  func produce(
    on client: OpaquePointer, topic: String, key: String, partition: Int, token: UInt64
  ) -> rd_kafka_resp_err_t {
    let headers: OpaquePointer = rd_kafka_headers_new(8 + extensions.count)
    eachHeader { name, value in
      var value = value
      _ = value.withUTF8 { rd_kafka_header_add(headers, name, -1, $0.baseAddress, $0.count) }
    }
    var key = key
    let code = key.withUTF8 { key in
      data.withUnsafeBytes { data in
        tracseq_kafka_produce(
          client, topic, Int32(partition), key.baseAddress, key.count, data.baseAddress, data.count, headers,
          UnsafeMutableRawPointer(bitPattern: UInt(token)))
      }
    }
    if code != RD_KAFKA_RESP_ERR_NO_ERROR { rd_kafka_headers_destroy(headers) }
    return code
  }
}
