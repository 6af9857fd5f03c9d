import SQLite

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The tables of `store.db`. A migration that has been released is never changed: add one at the end.
///
/// IDs of accounts, mailboxes, messages and bodies come from one counter (`state.next_id`) and are never used again.
/// Times are microseconds since 1970. Lists of texts are separated by line feeds, keywords by spaces.
enum Schema {
  static let migrations = [
    Migration(
      "1 accounts, mailboxes, messages",
      """
      CREATE TABLE state (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
      -- The active pack, and where its committed records end: what the file has beyond that was never acknowledged.
      INSERT INTO state VALUES ('next_id', 1), ('pack', 0), ('pack_end', 0), ('thread_key', random());

      CREATE TABLE domains (name TEXT PRIMARY KEY) WITHOUT ROWID;
      CREATE TABLE accounts (
        id INTEGER PRIMARY KEY,
        local_part TEXT NOT NULL,
        domain TEXT NOT NULL REFERENCES domains (name),
        lookup_key TEXT NOT NULL UNIQUE,
        secrets TEXT NOT NULL,
        quota_bytes INTEGER,
        quota_messages INTEGER,
        -- The last UIDVALIDITY given to one of its mailboxes.
        last_uid_validity INTEGER NOT NULL DEFAULT 0
      );
      CREATE TABLE app_passwords (
        account INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        label TEXT NOT NULL,
        secrets TEXT NOT NULL,
        created INTEGER NOT NULL,
        PRIMARY KEY (account, position)
      ) WITHOUT ROWID;
      CREATE TABLE aliases (
        -- The lookup key of an address, or @domain for a catch-all.
        pattern TEXT PRIMARY KEY,
        -- NULL for a catch-all.
        local_part TEXT,
        domain TEXT NOT NULL REFERENCES domains (name),
        targets TEXT NOT NULL
      ) WITHOUT ROWID;

      CREATE TABLE mailboxes (
        id INTEGER PRIMARY KEY,
        account INTEGER NOT NULL REFERENCES accounts (id),
        name TEXT NOT NULL,
        special_use TEXT,
        selectable INTEGER NOT NULL,
        uid_validity INTEGER NOT NULL,
        uid_next INTEGER NOT NULL,
        modseq INTEGER NOT NULL,
        -- Counters over its entries, exact with every commit; an account's usage is their sum.
        messages INTEGER NOT NULL,
        unseen INTEGER NOT NULL,
        deleted INTEGER NOT NULL,
        size INTEGER NOT NULL,
        first_recent INTEGER NOT NULL,
        UNIQUE (account, name)
      );
      CREATE TABLE subscriptions (
        account INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        PRIMARY KEY (account, name)
      ) WITHOUT ROWID;

      -- Packs that are full or sealed, and where their committed records end.
      CREATE TABLE sealed_packs (id INTEGER PRIMARY KEY, length INTEGER NOT NULL);
      CREATE TABLE bodies (
        id INTEGER PRIMARY KEY,
        -- The pack, and where in it the body (not its record) begins; NULL for a file of its own, large/ID.
        pack INTEGER,
        position INTEGER NOT NULL,
        size INTEGER NOT NULL,
        checksum INTEGER NOT NULL,
        structure BLOB NOT NULL
      );
      CREATE TABLE messages (
        id INTEGER PRIMARY KEY,
        account INTEGER NOT NULL,
        body INTEGER NOT NULL,
        thread INTEGER NOT NULL,
        -- Of what a client sees: prefix and body.
        size INTEGER NOT NULL,
        internal_date INTEGER NOT NULL,
        internal_offset INTEGER NOT NULL,
        prefix BLOB NOT NULL,
        -- How many mailboxes it is in; with none it stays restorable for a time from orphaned_at on.
        entries INTEGER NOT NULL,
        orphaned_at INTEGER
      );
      CREATE INDEX messages_orphaned ON messages (account, orphaned_at) WHERE orphaned_at IS NOT NULL;
      CREATE TABLE entries (
        mailbox INTEGER NOT NULL,
        uid INTEGER NOT NULL,
        message INTEGER NOT NULL,
        flags INTEGER NOT NULL,
        keywords TEXT,
        modseq INTEGER NOT NULL,
        saved INTEGER NOT NULL,
        PRIMARY KEY (mailbox, uid)
      ) WITHOUT ROWID;
      -- Runs of UIDs that were expunged together.
      CREATE TABLE vanished (
        mailbox INTEGER NOT NULL,
        modseq INTEGER NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        PRIMARY KEY (mailbox, modseq, first)
      ) WITHOUT ROWID;
      -- Hashes of message IDs seen in an account, and the thread each belongs to.
      CREATE TABLE threads (
        account INTEGER NOT NULL,
        hash INTEGER NOT NULL,
        thread INTEGER NOT NULL,
        PRIMARY KEY (account, hash)
      ) WITHOUT ROWID;
      """),
    Migration(
      "2 packs tell all",
      """
      -- Ends the metadata of every record, so that nothing inside a message is taken for one.
      INSERT INTO state VALUES ('pack_stamp', random());
      -- 0 until the packs have been told what there was before they were told of changes.
      INSERT INTO state VALUES ('packs_tell_all', 0);
      """),
    Migration(
      "3 deleted entries",
      """
      -- Entries that were expunged, for a time, so that they can be restored. In the order in which their time is over.
      CREATE TABLE deleted_entries (
        account INTEGER NOT NULL,
        deleted_at INTEGER NOT NULL,
        mailbox INTEGER NOT NULL,
        uid INTEGER NOT NULL,
        -- Of the mailbox at the time.
        name TEXT NOT NULL,
        message INTEGER NOT NULL,
        flags INTEGER NOT NULL,
        keywords TEXT,
        PRIMARY KEY (account, deleted_at, mailbox, uid)
      ) WITHOUT ROWID;
      -- Large bodies that are no longer needed and whose files may still be there.
      CREATE TABLE purged_large (body INTEGER PRIMARY KEY);
      """),
    Migration(
      "4 queue",
      """
      CREATE TABLE queued_messages (
        id INTEGER PRIMARY KEY,
        body INTEGER NOT NULL,
        -- Of what goes out: prefix and body.
        size INTEGER NOT NULL,
        prefix BLOB NOT NULL,
        created INTEGER NOT NULL,
        -- When the sender is told that it takes longer; NULL once that is done.
        warns INTEGER,
        expires INTEGER NOT NULL,
        -- Who submitted it; 0 for the server's own.
        account INTEGER NOT NULL,
        -- Empty for the null reverse-path.
        sender TEXT NOT NULL,
        parameters TEXT NOT NULL
      );
      CREATE INDEX queued_bodies ON queued_messages (body);
      CREATE INDEX queued_warnings ON queued_messages (warns) WHERE warns IS NOT NULL;
      CREATE INDEX queued_expiry ON queued_messages (expires);
      CREATE TABLE queued_recipients (
        message INTEGER NOT NULL,
        position INTEGER NOT NULL,
        -- Of the message.
        account INTEGER NOT NULL,
        address TEXT NOT NULL,
        destination TEXT NOT NULL,
        parameters TEXT NOT NULL,
        -- 0 waiting, 1 held, 2 to be reported.
        state INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        next_attempt INTEGER NOT NULL,
        result TEXT NOT NULL,
        PRIMARY KEY (message, position)
      ) WITHOUT ROWID;
      CREATE INDEX queued_waiting ON queued_recipients (destination, account, next_attempt) WHERE state = 0;
      CREATE INDEX queued_reports ON queued_recipients (next_attempt) WHERE state = 2;
      -- Those for which something waits. Nothing is tried before the time here, whatever its recipients say.
      CREATE TABLE queued_destinations (
        name TEXT PRIMARY KEY,
        next_attempt INTEGER NOT NULL,
        last_attempt INTEGER NOT NULL,
        -- Attempts in a row in which it could not be reached, and why not the last time.
        failures INTEGER NOT NULL,
        result TEXT NOT NULL
      ) WITHOUT ROWID;
      CREATE INDEX queued_reachable ON queued_destinations (next_attempt) WHERE failures = 0;
      CREATE INDEX queued_unreachable ON queued_destinations (next_attempt) WHERE failures > 0;
      -- By which mail of our domains is signed.
      CREATE TABLE signing_keys (
        domain TEXT NOT NULL REFERENCES domains (name) ON DELETE CASCADE,
        selector TEXT NOT NULL,
        algorithm TEXT NOT NULL,
        private_key BLOB NOT NULL,
        made INTEGER NOT NULL,
        stage TEXT NOT NULL,
        next_check INTEGER NOT NULL,
        PRIMARY KEY (domain, selector)
      ) WITHOUT ROWID;
      -- What other domains ask of those who send to them.
      CREATE TABLE transport_policies (
        domain TEXT PRIMARY KEY,
        id TEXT NOT NULL,
        text BLOB NOT NULL,
        fetched INTEGER NOT NULL
      ) WITHOUT ROWID;
      """),
    Migration(
      "5 imports",
      """
      -- Mailboxes elsewhere that mail has been imported from.
      CREATE TABLE imports (
        id INTEGER PRIMARY KEY,
        account INTEGER NOT NULL,
        -- Names the mailbox there, the same in every run.
        origin TEXT NOT NULL,
        -- Where its messages go, and the name under which that is made again when it is gone.
        mailbox INTEGER NOT NULL,
        name TEXT NOT NULL,
        -- The UIDVALIDITY taken over with the UIDs; NULL where the UIDs are the mailbox's own. While UIDNEXT is still
        -- what the import left, nothing has come in by other ways.
        uid_validity INTEGER,
        uid_next INTEGER NOT NULL,
        UNIQUE (account, origin)
      );
      -- What has come from there, so that nothing comes twice.
      CREATE TABLE imported (
        import INTEGER NOT NULL,
        -- The message's name in its origin.
        key BLOB NOT NULL,
        mailbox INTEGER NOT NULL,
        uid INTEGER NOT NULL,
        -- As they were there when last looked at.
        flags INTEGER NOT NULL,
        keywords TEXT,
        PRIMARY KEY (import, key)
      ) WITHOUT ROWID;
      """),
    Migration(
      "6 dead octets of packs",
      """
      -- About how much of a pack are bodies that no message has any more. Here all that is no body is among it: who
      -- compacts a pack finds out.
      CREATE TABLE dead_octets (pack INTEGER PRIMARY KEY, octets INTEGER NOT NULL);
      INSERT INTO dead_octets SELECT p.id, p.length - ifnull(b.octets, 0) FROM sealed_packs p
      LEFT JOIN (SELECT pack, sum(size) AS octets FROM bodies WHERE pack IS NOT NULL GROUP BY pack) b ON b.pack = p.id;
      """),
    Migration(
      "7 packs commit",
      """
      -- Nothing changes here. Groups that only add messages are committed by their pack from now on, and a version that
      -- does not know it would cut them off after a power cut.
      """),
    Migration(
      "8 who may send as whom, and how much",
      """
      -- Who may write to it: anyone, members, domain, or addresses of accounts.
      ALTER TABLE aliases ADD COLUMN senders TEXT NOT NULL DEFAULT 'anyone';
      ALTER TABLE aliases ADD COLUMN members_may_send INTEGER NOT NULL DEFAULT 0;
      -- Addresses and @domains, and limits with their numbers; accounts without either have no row.
      CREATE TABLE sending_rules (
        account INTEGER PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
        send_as TEXT NOT NULL,
        limits TEXT NOT NULL
      );
      -- What accounts have sent to other servers, in spans of ten minutes since 1970.
      CREATE TABLE sent_counts (
        account INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
        span INTEGER NOT NULL,
        messages INTEGER NOT NULL,
        recipients INTEGER NOT NULL,
        new_recipients INTEGER NOT NULL,
        PRIMARY KEY (account, span)
      ) WITHOUT ROWID;
      -- Whom they have sent to: hashes of addresses, with the day since 1970.
      CREATE TABLE sent_recipients (
        account INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
        recipient INTEGER NOT NULL,
        day INTEGER NOT NULL,
        PRIMARY KEY (account, recipient)
      ) WITHOUT ROWID;
      CREATE INDEX sent_recipients_by_day ON sent_recipients (account, day);
      """),
    Migration(
      "9 results of TLS",
      """
      -- What came of TLS with the servers of other domains, by days (UTC, counted from 1970-01-01), until it is told.
      CREATE TABLE transport_results (
        day INTEGER NOT NULL,
        domain TEXT NOT NULL,
        results TEXT NOT NULL,
        -- Who has the report already.
        told TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (day, domain)
      ) WITHOUT ROWID;
      """),
    Migration(
      "10 priorities of the queue",
      """
      -- Of the message: which of an account's goes first to a destination.
      ALTER TABLE queued_recipients ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
      DROP INDEX queued_waiting;
      CREATE INDEX queued_waiting ON queued_recipients (destination, account, priority, next_attempt) WHERE state = 0;
      """),
    Migration(
      "11 packs commit entries and the queue",
      """
      -- Nothing changes here. Groups that change entries and the queue, too, are committed by their pack from now on, and
      -- a version that does not know it would cut them off after a power cut.
      """),
  ]
}

extension StoreError {
  init(_ error: SQLiteError) {
    let isOfFullDevice = error.systemCode == ENOSPC || error.systemCode == EDQUOT
    switch error.kind {
    case .full: self = .deviceFull
    case .inputOutput where isOfFullDevice, .cannotOpen where isOfFullDevice: self = .deviceFull
    case .corrupt: self = .corrupt(error.description)
    case .inputOutput, .busy, .cannotOpen, .readOnly, .outOfMemory, .constraint, .other:
      self = .inputOutput(error.description)
    }
  }
}

/// The database in the store's own words for failure.
extension Database {
  func change(_ sql: StaticString, _ values: SQLValue...) throws(StoreError) {
    do throws(SQLiteError) { try run(sql, values) } catch { throw StoreError(error) }
  }

  func each(_ sql: StaticString, _ values: SQLValue..., row: (Row) -> Void) throws(StoreError) {
    do throws(SQLiteError) {
      try forEach(sql, values) {
        row($0)
        return true
      }
    } catch {
      throw StoreError(error)
    }
  }

  func one<Result>(_ sql: StaticString, _ values: SQLValue..., row: (Row) -> Result) throws(StoreError) -> Result? {
    do throws(SQLiteError) { return try first(sql, values, row) } catch { throw StoreError(error) }
  }
}
