import CKafka
import Values

extension KafkaMessage {
  /// Copies a message out of librdkafka's memory.
  init(_ message: UnsafePointer<rd_kafka_message_t>) {
    func bytes(_ pointer: UnsafeMutableRawPointer?, _ count: Int) -> [UInt8]? {
      pointer.map { [UInt8](UnsafeRawBufferPointer(start: $0, count: count)) }
    }
    var headers: [KafkaHeader] = []
    var list: OpaquePointer?
    if rd_kafka_message_headers(message, &list) == RD_KAFKA_RESP_ERR_NO_ERROR, let list {
      var index = 0
      var (name, value, size): (UnsafePointer<CChar>?, UnsafeRawPointer?, Int) = (nil, nil, 0)
      while rd_kafka_header_get_all(list, index, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR, let named = name {
        headers.append(
          KafkaHeader(
            String(cString: named), value.map { [UInt8](UnsafeRawBufferPointer(start: $0, count: size)) } ?? []))
        index += 1
      }
    }
    var kind = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
    let milliseconds = rd_kafka_message_timestamp(message, &kind)
    let one = message.pointee
    self.init(
      topic: one.rkt.map { String(cString: rd_kafka_topic_name($0)) } ?? "", partition: Int(one.partition),
      offset: one.offset, key: bytes(one.key, one.key_len), value: bytes(one.payload, one.len), headers: headers,
      timestamp: kind == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || milliseconds < 0
        ? nil : Timestamp(milliseconds: milliseconds))
  }
}
