"""Every limit that broker and client agree on, with its unit in its name."""

VERSION = 1  # of the protocol, ZCHAT/1
PORT = 9242  # the broker's ROUTER; XPUB listens on the next port

TEXT_BYTES_MAX = 64 * 1024  # of one message, in UTF-8
SEND_BYTES_MAX = 128 * 1024  # of all texts of one Send, in UTF-8
SEND_MESSAGES_MAX = 256
SEGMENT_ENTRIES_MAX = 256
SEGMENT_BYTES_MAX = 240 * 1024
PAGE_BYTES_MAX = 256 * 1024

NAME_CHARACTERS_MAX = 32
NAME_BYTES_MAX = 64
TOPIC_BYTES_MAX = 1024
KEY_CHARACTERS_MAX = 128  # of the id that a user chose for a message
CLIENT_CHARACTERS_MAX = 64  # of the software's name in Hello
REASON_CHARACTERS_MAX = 256  # of the reason of an act, and of being away
INVITE_CHARACTERS_MAX = 64  # of what a link has behind its key
INVITE_USES_MAX = 1000
TOKEN_ROOMS_MAX = 100
IGNORED_MAX = 1000  # people whom one user ignores
CONVERSATION_BYTES_MAX = 1 + 2 * NAME_BYTES_MAX + 1  # "@", two nicks, a comma
SUBSCRIPTION_BYTES_MAX = 1 + NAME_BYTES_MAX + 1  # "#", a room, a zero byte; a nonce is shorter

HEADS_MAX = 1000  # in one Welcome, Heads or Followed
LIST_MAX = 1000  # rows of one People, Rooms or Presence
ACK_RESULTS_MAX = 1000
FOLLOWED_ROOMS_MAX = 1000
JOINED_ROOMS_MAX = 1000
FETCHES_MAX = 2  # pages asked for and not yet answered, a session

ROUTER_FRAME_BYTES_MAX = 256 * 1024  # ZMQ_MAXMSGSIZE; libzmq drops the connection above it
XPUB_FRAME_BYTES_MAX = 512
CLIENT_FRAME_BYTES_MAX = 512 * 1024

HEARTBEAT_MS = 5_000  # a client says something at least this often
SESSION_TIMEOUT_MS = 15_000  # a session that was silent for longer is expired
PRESENCE_INTERVAL_MS = 100  # changes of presence are told together, this often
SUBSCRIPTION_TOUCH_MS = 1_000  # libzmq resubscribes only when the socket is used
