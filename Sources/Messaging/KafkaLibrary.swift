import CKafka
public import Values

/// The library that speaks to Kafka.
public enum KafkaLibrary {
  public static var linked: LinkedLibrary {
    let number = UInt32(RD_KAFKA_VERSION)
    return LinkedLibrary(
      name: "rdkafka", compiled: LinkedLibrary.version([24, 16, 8].map { (number >> $0) & 0xFF }),
      loaded: rd_kafka_version_str().map { String(cString: $0) } ?? "unknown", licence: "BSD-2-Clause",
      website: "https://github.com/confluentinc/librdkafka")
  }
}
