/* How `local` mode commits and publishes, for spin. README.md beside this file says what is modelled,
 * what is not and what each mutation shows; the lines "holds", "ends" and "breaks" at the end say what must come out.
 *
 * One task. A store (LMDB: State, position, outbox and head in one atomic step), a log (records of
 * transactions and the group's mark, which carries a commit id), and hosts that may die at any step.
 */

/* ---- Sizes ---- */
#define RECORDS 3                            /* of the input */
#define EMITS(record) ((record) != 1)        /* the others leave no feature */
#ifndef CRASHES
#define CRASHES 2                            /* of all hosts together */
#endif
#ifndef UNKNOWNS
#define UNKNOWNS 1                           /* publications whose outcome the host is not told */
#endif
#define ATTEMPTS (UNKNOWNS + 1)              /* Publisher's publish_attempts_max */
#define IDS 24                               /* more than any run draws */

/* ---- Situations: what happens beside crashes and unknown outcomes ---- */
#if defined(COPY) || defined(TAKEOVER)
#define SECOND_HOST                          /* it starts while the first one lives, sleeps or is dead */
#else
#define ALONE                                /* nothing may halt, and the end must be reached */
#endif
#ifdef RESET
#undef ALONE
#endif
#ifdef TAKEOVER
#define STORE_OF(host) 0                     /* both in one directory: its lock has failed */
#else
#define STORE_OF(host) (host)                /* the second one's directory is a copy */
#endif

/* ---- The log ---- */
#define NONE 0
#define FOREIGN 255                          /* a mark without a commit id: what a reset leaves */
byte mark = NONE;                            /* the commit id that the group's mark carries */
byte visible[RECORDS];                       /* how often the feature of each record was published */
byte visible_by[RECORDS];                    /* ... and by which commit */

#define IDLE 0
#define OPEN 1
#define DECIDED 2                            /* it will be visible; the mark is not there yet */
typedef Transaction { byte step; byte host; byte id; byte features }
Transaction running[2];                      /* one a producer id: those of two workers */
byte newest_producer[2];                     /* host whose producer was opened last */
byte member = 0;                             /* host that the consumer group takes for its member */

/* ---- What outlives a host ---- */
typedef Store {
  byte commit; byte published; byte published_before;   /* Head */
  byte position;                                        /* next record */
  byte outbox;                                          /* bit r: the feature of record r */
  byte applied_by[RECORDS]                              /* State: the commit that applied record r */
}
Store store[2];
byte drawn = 0;                              /* commit ids so far: each one is new (a nonce) */

/* ---- What only the checks know ---- */
byte crashes = 0;
byte unknowns = 0;
bool copied = false;
byte producer_of[2] = { 2, 2 };              /* the producer id that a living host uses; 2: none */
#if defined(OFFSETS_NOT_IDS) || defined(SEQUENCES_NOT_IDS)
byte compared[IDS];                          /* what stands in the mark in place of the id */
#endif
/* Properties by name. Not part of a state. */
hidden byte feature_once, feature_kept, record_once, commit_follows, store_and_log_agree, foreign_mark_halts,
    no_halt_without_cause, reaches_the_end;

#if defined(OFFSETS_NOT_IDS) || defined(SEQUENCES_NOT_IDS)
#define SAME(a, b) ((a) == (b) || ((a) != NONE && (b) != NONE && (a) != FOREIGN && (b) != FOREIGN && compared[a] == compared[b]))
#else
#define SAME(a, b) ((a) == (b))
#endif

#define UNDECIDED(p) (running[p].step != IDLE)
#ifdef UNSTABLE_READ
#define STABLE true
#else
#define STABLE (!UNDECIDED(0) && !UNDECIDED(1))
#endif

#ifdef NO_PRODUCER_FENCE
#define PRODUCER_IS_NEWEST true
#else
#define PRODUCER_IS_NEWEST (newest_producer[producer] == host_id)
#endif
#ifdef NO_MEMBER_FENCE
#define IS_MEMBER true
#else
#define IS_MEMBER (member == host_id)
#endif

/* The log decides that a transaction is committed: from here on its features will be seen. */
inline decide(p) {
  running[p].step = DECIDED;
  r = 0;
  do
  :: r < RECORDS ->
     if
     :: running[p].features & (1 << r) ->
        visible[r]++;
        visible_by[r] = running[p].id;
        feature_once = (visible[r] == 1);
        assert(feature_once)
     :: else
     fi;
     r++
  :: else -> break
  od;
  r = 0
}

/* A host that goes on must stand where the log stands: each feature of a record that its State has
 * applied is visible, and was made by the very execution that this State comes from. */
inline check_agreement() {
  r = 0;
  do
  :: r < position ->
     if
     :: EMITS(r) ->
        feature_kept = (visible[r] >= 1);
        assert(feature_kept);
        store_and_log_agree = (visible_by[r] == store[mine].applied_by[r]);
        assert(store_and_log_agree)
     :: else
     fi;
     r++
  :: else -> break
  od;
  r = 0
}

/* ---- The log's own steps, and the operator's ---- */
active proctype log_and_operator() {
end:
  do
  /* The mark of a decided transaction arrives. */
  :: d_step { running[0].step == DECIDED -> running[0].step = IDLE;
#ifndef MARK_APART
     mark = running[0].id;
#endif
     running[0].id = 0; running[0].features = 0; running[0].host = 0 }
  :: d_step { running[1].step == DECIDED -> running[1].step = IDLE;
#ifndef MARK_APART
     mark = running[1].id;
#endif
     running[1].id = 0; running[1].features = 0; running[1].host = 0 }
  /* A transaction whose producer is gone times out. (While the producer lives: an unknown outcome.) */
  :: d_step { running[0].step == OPEN && (producer_of[running[0].host] != 0 || newest_producer[0] != running[0].host) ->
     running[0].step = IDLE; running[0].id = 0; running[0].features = 0; running[0].host = 0 }
  :: d_step { running[1].step == OPEN && (producer_of[running[1].host] != 1 || newest_producer[1] != running[1].host) ->
     running[1].step = IDLE; running[1].id = 0; running[1].features = 0; running[1].host = 0 }
#ifdef COPY
  /* A backup, a snapshot, cp -r: what it finds is one commit of the store. */
  :: d_step { !copied && store[0].commit != NONE -> copied = true;
     store[1].commit = store[0].commit; store[1].published = store[0].published;
     store[1].published_before = store[0].published_before;
     store[1].position = store[0].position; store[1].outbox = store[0].outbox;
     store[1].applied_by[0] = store[0].applied_by[0]; store[1].applied_by[1] = store[0].applied_by[1];
     store[1].applied_by[2] = store[0].applied_by[2] }
#endif
#ifdef TAKEOVER
  :: d_step { !copied && store[0].commit != NONE -> copied = true }
#endif
#ifdef RESET
  /* Offsets reset by a tool (a mark of its own), deleted, or expired. */
  :: d_step { !copied && STABLE -> copied = true; mark = FOREIGN }
  :: d_step { !copied && STABLE && mark != NONE -> copied = true; mark = NONE }
#endif
  od
}

/* ---- The host ---- */
#define CRASH :: atomic { crashes < CRASHES -> crashes++; goto dies }
#define UNKNOWN :: atomic { unknowns < UNKNOWNS -> unknowns++; goto ask_again }

/* Publisher::open, and again after an unknown outcome. Ends what the former producer had open. */
inline open_producer() {
  newest_producer[producer] = host_id;
  if
  :: running[producer].step == OPEN ->
     running[producer].step = IDLE; running[producer].id = 0; running[producer].features = 0; running[producer].host = 0
  :: else
  fi
}

/* The next commit of State: records up to `until`, in one step of the store. */
inline apply_records(count) {
  r = count;
  do
  :: r > 0 ->
     record_once = (store[mine].applied_by[position] == NONE);
     assert(record_once);
     store[mine].applied_by[position] = id;
     if :: EMITS(position) -> features = features | (1 << position) :: else fi;
     position++;
     r--
  :: else -> break
  od
}

inline write_head() {
  if
  :: features != 0 || commit == NONE -> before = published; published = id
  :: else
  fi;
#ifdef OFFSETS_NOT_IDS
  compared[id] = position;
#endif
#ifdef SEQUENCES_NOT_IDS
  compared[id] = compared[commit] + 1;
#endif
  commit = id;
  store[mine].commit = commit;
  store[mine].published = published;
#ifndef NO_PUBLISHED_BEFORE
  store[mine].published_before = before;
#endif
#ifndef POSITION_APART
  store[mine].position = position;
#endif
  store[mine].outbox = features
}

proctype a_host(byte host_id) {
  byte mine = STORE_OF(host_id);
  byte producer, seen, attempt;              /* of this life */
  byte commit, published, before, position;  /* its copy of the head */
  byte id, features;                         /* the publication on its way */
  byte r;
  bool foreign;
#ifdef TWO_UNPUBLISHED
  byte earlier;
#endif

starts:
end_waits:
  atomic {
    host_id == 0 || copied;
    /* Another number of workers gives the task another producer. */
#ifdef SAME_WORKERS
    producer = 0;
#else
    if :: producer = 0 :: producer = 1 fi;
#endif
  };
#ifdef ASKS_BEFORE_FENCING
  atomic { STABLE -> seen = mark };
#endif
  atomic { producer_of[host_id] = producer; member = host_id; open_producer() };
  running[producer].step == IDLE;
  /* Task::start */
  atomic {
    commit = store[mine].commit; published = store[mine].published; before = store[mine].published_before;
    position = store[mine].position
  };
#ifndef ASKS_BEFORE_FENCING
  if
  :: atomic { STABLE -> seen = mark }
  CRASH
  fi;
#endif

  /* Task::recover, reconcile() */
  atomic {
    foreign = (seen == FOREIGN);
#ifdef FOREIGN_IS_NONE
    if :: seen == FOREIGN -> seen = NONE :: else fi;
#endif
    if
    :: seen == FOREIGN -> goto halts
    :: seen != FOREIGN && commit == NONE ->
       if :: seen != NONE -> goto halts :: else -> goto is_born fi
#ifdef COMPARES_THE_NEWEST
    :: seen != FOREIGN && commit != NONE && SAME(seen, commit) -> goto goes_on
#else
    :: seen != FOREIGN && commit != NONE && SAME(seen, published) -> goto goes_on
#endif
    :: else ->
#ifdef GUESSES_BEFORE
       if :: published == commit -> goto publishes_again
#else
       if :: published == commit && SAME(seen, before) -> goto publishes_again
#endif
          :: else -> goto halts
       fi
    fi
  };

is_born: /* the first commit says where the task begins; its mark goes out although no feature does */
  if
  :: atomic {
       drawn++; id = drawn; features = 0;
       write_head();
#ifdef NO_FIRST_MARK
       store[mine].published = NONE; published = NONE;
#endif
     }
  CRASH
  fi;
#ifdef NO_FIRST_MARK
  goto goes_on;
#endif
  goto publishes;

publishes_again:
  atomic { id = commit; features = store[mine].outbox };
  goto publishes;

goes_on:
  atomic {
    check_agreement();
    foreign_mark_halts = !foreign;
    assert(foreign_mark_halts);
    id = NONE; features = 0; attempt = 0; seen = NONE
  };
#ifdef RESUMES_AT_THE_MARK
  d_step { position = 0; r = 0;
    do :: r < RECORDS -> if :: store[mine].applied_by[r] != NONE && store[mine].applied_by[r] <= published -> position = r + 1 :: else fi; r++
       :: else -> break
    od; r = 0 };
#endif
  if
  :: position < RECORDS -> goto commits
  :: position == RECORDS && store[mine].outbox != 0 -> goto acknowledges
  :: position == RECORDS && store[mine].outbox == 0 -> goto rests
  CRASH
  fi;

commits: /* Task::commit: one record, or two */
#ifdef PUBLISHES_FIRST
  atomic {
    drawn++; id = drawn; features = 0; r = position;
    if :: EMITS(r) -> features = 1 << r :: else fi;
    r = 0
  };
  if :: features != 0 -> goto publishes :: else fi;
commits_after:
#endif
  if
  :: atomic {
#ifndef NO_HEAD_CHECK
       if :: store[mine].commit != commit -> goto halts :: else fi;
#endif
       commit_follows = (store[mine].commit == commit);
       assert(commit_follows);
#ifndef PUBLISHES_FIRST
       drawn++; id = drawn;
       features = 0;
#endif
       if
       :: apply_records(1)
#ifndef PUBLISHES_FIRST
       :: position + 2 <= RECORDS -> apply_records(2)
#endif
       fi;
       write_head()
     }
  CRASH
  fi;
#ifdef POSITION_APART
  if :: store[mine].position = position CRASH fi;
#endif
#ifdef PUBLISHES_FIRST
  goto goes_on;
#endif
  if
  :: features == 0 -> goto goes_on
  :: features != 0 -> skip
  fi;
#ifdef TWO_UNPUBLISHED
  /* The next commit does not wait: both go out together if nothing happens, only the second is kept. */
  if
  :: position < RECORDS ->
     d_step {
       earlier = features;
       drawn++; id = drawn; features = 0;
       apply_records(1);
       write_head();
       features = features | earlier; earlier = 0
     }
  :: skip
  fi;
#endif
#ifdef OUTBOX_GONE_EARLY
  if :: store[mine].outbox = 0 CRASH fi;
#endif

publishes: /* Publisher::send */
#ifdef MARK_APART
  if :: running[producer].step == IDLE CRASH fi;
#endif
  if
  :: atomic {
       running[producer].step == IDLE && PRODUCER_IS_NEWEST && IS_MEMBER ->
       running[producer].step = OPEN; running[producer].host = host_id;
       running[producer].id = id; running[producer].features = features
     }
  :: atomic { !(PRODUCER_IS_NEWEST && IS_MEMBER) -> goto halts }
  CRASH
  UNKNOWN
  fi;
  if
  :: atomic { running[producer].step == OPEN && running[producer].host == host_id && PRODUCER_IS_NEWEST ->
       decide(producer) }
  :: atomic { !PRODUCER_IS_NEWEST -> goto halts }
  :: atomic { PRODUCER_IS_NEWEST && !(running[producer].step == OPEN && running[producer].host == host_id) -> goto ask_again }
  CRASH
  UNKNOWN
  fi;
  if
  :: skip
  CRASH
  UNKNOWN
  fi;
#ifdef MARK_APART
  if :: mark = id CRASH fi;
#endif
is_published:
#ifdef PUBLISHES_FIRST
  if :: commit != id -> goto commits_after :: else fi;
#endif
  goto goes_on;

ask_again: /* a new producer ends the old transaction; then the log says which commit it has seen */
  attempt++;
  if
  :: attempt == ATTEMPTS -> goto halts
  :: else
  fi;
#ifdef ASKS_BEFORE_FENCING
  producer_of[host_id] = 2;
  atomic { STABLE -> seen = mark; producer_of[host_id] = producer };
#endif
  atomic { open_producer() };
#ifdef NEVER_ASKS
  running[producer].step == IDLE;
  goto publishes;
#endif
  running[producer].step == IDLE;
#ifndef ASKS_BEFORE_FENCING
  if
  :: atomic { STABLE -> seen = mark }
  CRASH
  fi;
#endif
  if
  :: SAME(seen, id) -> goto is_published
  :: !SAME(seen, id) && SAME(seen, before) -> goto publishes
  :: else -> goto halts
  fi;

acknowledges: /* Task::finish: an empty commit takes the outbox away */
  if
  :: atomic {
#ifndef NO_HEAD_CHECK
       if :: store[mine].commit != commit -> goto halts :: else fi;
#endif
       commit_follows = (store[mine].commit == commit);
       assert(commit_follows);
       drawn++; id = drawn; features = 0;
       write_head();
       id = NONE
     }
  CRASH
  fi;

rests:
end_rests:
  atomic { crashes < CRASHES -> crashes++; goto dies };

halts:
#ifdef STARTS_OVER
  /* Another answer to ids that do not fit: wipe the State and begin again. */
  atomic {
    store[mine].commit = NONE; store[mine].published = NONE; store[mine].published_before = NONE;
    store[mine].position = 0; store[mine].outbox = 0;
    store[mine].applied_by[0] = NONE; store[mine].applied_by[1] = NONE; store[mine].applied_by[2] = NONE;
    commit = NONE; published = NONE; before = mark; position = 0; seen = NONE
  };
  goto is_born;
#endif
#ifdef ALONE
  no_halt_without_cause = false;
  assert(no_halt_without_cause);
#endif
  producer_of[host_id] = 2;
end_halted:
  atomic { crashes < CRASHES -> crashes++; goto dies };

dies:
  atomic {
    producer_of[host_id] = 2;
    producer = 0; seen = NONE; attempt = 0; commit = NONE; published = NONE; before = NONE; position = 0;
    id = NONE; features = 0; foreign = false
  };
  goto starts
}

init {
  atomic {
    run a_host(0);
#ifdef SECOND_HOST
    run a_host(1);
#endif
  };
#ifdef ALONE
  /* Nothing can move any more: then everything must be done. */
  timeout;
  d_step {
    reaches_the_end = (store[0].position == RECORDS && store[0].outbox == 0 &&
      visible[0] == 1 && visible[1] == 0 && visible[2] == 1 && mark == store[0].published);
    assert(reaches_the_end)
  }
#endif
}

/* What ./dev model checks: all states of the model in each of these situations.
 *
 * holds: -DCRASHES=4 -DUNKNOWNS=2
 * ends:  -DCRASHES=4 -DUNKNOWNS=2
 * holds: -DRESET -DCRASHES=4 -DUNKNOWNS=2
 * holds: -DCOPY
 * holds: -DTAKEOVER
 * holds: -DTAKEOVER -DNO_PRODUCER_FENCE
 * holds: -DCOPY -DSAME_WORKERS -DNO_MEMBER_FENCE
 *
 * breaks store_and_log_agree:   -DCOPY -DOFFSETS_NOT_IDS
 * breaks store_and_log_agree:   -DCOPY -DSEQUENCES_NOT_IDS
 * breaks no_halt_without_cause: -DCOMPARES_THE_NEWEST
 * breaks no_halt_without_cause: -DNO_PUBLISHED_BEFORE
 * breaks feature_once:          -DCOPY -DGUESSES_BEFORE
 * breaks feature_once:          -DRESET -DNO_FIRST_MARK
 * breaks foreign_mark_halts:    -DRESET -DFOREIGN_IS_NONE
 * breaks feature_once:          -DRESET -DSTARTS_OVER
 * breaks no_halt_without_cause: -DPUBLISHES_FIRST
 * breaks feature_once:          -DMARK_APART
 * breaks record_once:           -DPOSITION_APART
 * breaks record_once:           -DRESUMES_AT_THE_MARK
 * breaks feature_kept:          -DOUTBOX_GONE_EARLY
 * breaks no_halt_without_cause: -DTWO_UNPUBLISHED
 * breaks store_and_log_agree:   -DCOPY -DTWO_UNPUBLISHED
 * breaks feature_once:          -DNEVER_ASKS
 * breaks feature_once:          -DCOPY -DASKS_BEFORE_FENCING
 * breaks feature_once:          -DRESET -DUNSTABLE_READ
 * breaks no_halt_without_cause: -DUNSTABLE_READ
 * breaks feature_once:          -DCOPY -DSAME_WORKERS -DNO_MEMBER_FENCE -DNO_PRODUCER_FENCE
 * breaks feature_once:          -DCOPY -DNO_MEMBER_FENCE
 * breaks commit_follows:        -DTAKEOVER -DNO_HEAD_CHECK
 */
