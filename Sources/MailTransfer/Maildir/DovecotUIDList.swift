import Bytes
import MailStore

/// `dovecot-uidlist`: which file has which UID. Version 3 begins with `3 V1275660208 N25022 G3085f0…`, then has a line
/// for each message, `25006 W1394 :1276528487.M364837P9451.host,S=1355:2,`; version 1 begins with `1 1275660208 25022`
/// and has `25006 1276528487.M364837P9451.host`.
enum DovecotUIDList {
  struct Header: Equatable {
    var version: Int
    var uidValidity: UIDValidity
    var uidNext: UID
  }

  static func header(_ line: ArraySlice<UInt8>) -> Header? {
    let words = line.split(separator: 0x20)
    guard words.count >= 3, let version = number(words[0]) else { return nil }
    var validity: UInt32?
    var next: UInt32?
    switch version {
    case 1:
      validity = number(words[1])
      next = number(words[2])
    case 3:
      for word in words.dropFirst() {
        switch word.first {
        case 0x56: validity = number(word.dropFirst())
        case 0x4E: next = number(word.dropFirst())
        default: break
        }
      }
    default: return nil
    }
    guard let validity, let next, validity > 0, next > 0 else { return nil }
    return Header(
      version: Int(version), uidValidity: UIDValidity(rawValue: validity), uidNext: UID(rawValue: next))
  }

  /// A message's UID and file name.
  static func entry(_ line: ArraySlice<UInt8>, version: Int) -> (uid: UID, name: ArraySlice<UInt8>)? {
    guard let space = line.firstIndex(of: 0x20), let uid = number(line[..<space]), uid > 0 else { return nil }
    var name = line[(space + 1)...]
    if version == 3 {
      // Fields of one letter and a value may come before the colon.
      if name.first == 0x3A {
        name = name.dropFirst()
      } else {
        guard let mark = name.firstSpaceAndColon else { return nil }
        name = name[(mark + 2)...]
      }
    }
    return name.isEmpty ? nil : (UID(rawValue: uid), name)
  }

  private static func number(_ digits: ArraySlice<UInt8>) -> UInt32? {
    guard 1...10 ~= digits.count, digits.allSatisfy({ $0.isIn(.digit) }) else { return nil }
    return UInt32(String(decoding: digits, as: UTF8.self))
  }

  /// The file's first line.
  static func text(_ header: Header, identifier: [UInt8]) -> String {
    var hex = ""
    for byte in identifier {
      let (high, low) = hexDigits(of: byte)
      hex += String(decoding: [high.asciiLowercased, low.asciiLowercased], as: UTF8.self)
    }
    return "3 V\(header.uidValidity.rawValue) N\(header.uidNext.rawValue) G\(hex)\n"
  }
}

extension ArraySlice<UInt8> {
  fileprivate var firstSpaceAndColon: Int? {
    indices.dropLast().first { self[$0] == 0x20 && self[$0 + 1] == 0x3A }
  }
}
