/* Writing item rows: digest, insert, close, move, and the record of the version they make. */
#include "store/items_write.h"

#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "data/json.h"
#include "store/store_private.h"

static const char SQL_NEXT_KEY[] = "SELECT COALESCE(MAX(item_key), 0) + 1 FROM items";
static const char SQL_INSERT[] =
    "INSERT INTO items (item_key, dataset_id, item_id, valid_from, valid_to, span_node, position, auto_id, digest, "
    "input, ground_truth, context, expected_trajectory, steps, output, metadata, tags, scorers, expect, tool_mocks, "
    "source) VALUES (?1, ?2, ?3, ?4, NULL, NULL, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19) "
    "ON CONFLICT DO NOTHING";
#define ROW(KEY, ID, POSITION, AUTO, DIGEST, A, B, C, D, E, F, G, H, I, J, K, L)                                    \
  "(?" #KEY ", ?1, ?" #ID ", ?2, NULL, NULL, ?" #POSITION ", ?" #AUTO ", ?" #DIGEST ", ?" #A ", ?" #B ", ?" #C      \
  ", ?" #D ", ?" #E ", ?" #F ", ?" #G ", ?" #H ", ?" #I ", ?" #J ", ?" #K ", ?" #L ")"
/* EVA_ITEMS_AT_ONCE rows: in one statement they cost two thirds of what they cost one by one. */
static const char SQL_INSERT_MANY[] =
    "INSERT INTO items (item_key, dataset_id, item_id, valid_from, valid_to, span_node, position, auto_id, digest, "
    "input, ground_truth, context, expected_trajectory, steps, output, metadata, tags, scorers, expect, tool_mocks, "
    "source) VALUES "
    ROW(3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19) ", "
    ROW(20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36) ", "
    ROW(37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53) ", "
    ROW(54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70) ", "
    ROW(71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87) ", "
    ROW(88, 89, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101, 102, 103, 104) ", "
    ROW(105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121) ", "
    ROW(122, 123, 124, 125, 126, 127, 128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 138) ", "
    ROW(139, 140, 141, 142, 143, 144, 145, 146, 147, 148, 149, 150, 151, 152, 153, 154, 155) ", "
    ROW(156, 157, 158, 159, 160, 161, 162, 163, 164, 165, 166, 167, 168, 169, 170, 171, 172)
    " ON CONFLICT DO NOTHING";
static const char SQL_REMOVE_FROM[] = "DELETE FROM items WHERE item_key >= ?1";
static const char SQL_CLOSE[] = "UPDATE items SET valid_to = ?2, span_node = ?3 WHERE item_key = ?1";
static const char SQL_COPY[] =
    "INSERT INTO items (item_key, dataset_id, item_id, valid_from, valid_to, span_node, position, auto_id, digest, "
    "input, ground_truth, context, expected_trajectory, steps, output, metadata, tags, scorers, expect, tool_mocks, "
    "source) SELECT ?2, dataset_id, item_id, ?3, NULL, NULL, ?4, auto_id, digest, input, ground_truth, context, "
    "expected_trajectory, steps, output, metadata, tags, scorers, expect, tool_mocks, source "
    "FROM items WHERE item_key = ?1";
static const char SQL_SET_POSITION[] = "UPDATE items SET position = ?2 WHERE item_key = ?1";
static const char SQL_NEWEST[] = "SELECT " EVA_ITEM_ROW_COLUMNS
                                 " FROM items WHERE dataset_id = ?1 AND item_id = ?2 ORDER BY valid_from DESC LIMIT 1";
static const char SQL_LAST_POSITION[] =
    "SELECT position FROM items WHERE dataset_id = ?1 AND valid_to IS NULL ORDER BY position DESC LIMIT 1";
static const char SQL_VERSION_ADD[] =
    "INSERT INTO dataset_versions (dataset_id, version, digest, item_count, added, updated, removed, message, "
    "created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
static const char SQL_SET_VERSION[] = "UPDATE datasets SET version = ?2, updated_at = ?3 WHERE id = ?1";

static eva_code single_int(eva_statement *select, int64_t *value, eva_error *error) {
  eva_code code = eva_step_one(select, error);
  if (code) return code;
  *value = eva_column_int(select, 0);
  eva_reset(select);
  return EVA_OK;
}

eva_code eva_writer_start(eva_store *store, const char *dataset_id, eva_item_writer *writer, eva_error *error) {
  int64_t latest = 0;
  eva_statement *select = NULL;
  *writer = (eva_item_writer){.store = store};
  eva_code code = eva_dataset_latest(store, dataset_id, &latest, NULL, error);
  if (!code) code = eva_store_prepare(store, SQL_NEXT_KEY, &select, error);
  if (!code) code = single_int(select, &writer->next_key, error);
  if (code) return code;
  memcpy(writer->dataset_id, dataset_id, strlen(dataset_id) + 1);
  writer->version = latest + 1;
  return EVA_OK;
}

void eva_writer_end(eva_item_writer *writer) { eva_buf_free(&writer->scratch); }

eva_code eva_item_check(const eva_item *item, eva_error *error) {
  eva_text id = item->item_id;
  if (!id.data || id.len == 0) {
    return eva_error_set(error, EVA_E_ARGUMENT, NULL, "an item needs an id that is not empty");
  }
  if (id.len > EVA_ITEM_ID_MAX) {
    return eva_error_set(error, EVA_E_LIMIT, NULL, "the item id \"%.40s...\" has %zu bytes; at most %d are allowed",
                         id.data, id.len, EVA_ITEM_ID_MAX);
  }
  for (size_t at = 0; at < id.len; at++) {
    if ((unsigned char)id.data[at] < 0x20) {
      return eva_error_set(error, EVA_E_ARGUMENT, NULL, "the item id \"%.*s\" has a control character at byte %zu",
                           (int)at, id.data, at + 1);
    }
  }
  if (!item->fields[EVA_ITEM_INPUT].data) {
    return eva_error_set(error, EVA_E_ARGUMENT, NULL, "item \"%.*s\" has no input", (int)id.len, id.data);
  }
  return EVA_OK;
}

int eva_item_equal(const eva_item *a, const eva_item *b) {
  for (int field = 0; field < EVA_ITEM_FIELD_COUNT; field++) {
    if (!eva_text_equal(a->fields[field], b->fields[field])) return 0;
  }
  return 1;
}

eva_code eva_item_digest(eva_item_writer *writer, const eva_item *item, eva_text item_id, char *out,
                         eva_error *error) {
  eva_buf *lines = &writer->scratch;
  eva_buf_clear(lines);
  eva_buf_add_string(lines, "item_id\n");
  eva_json_write_string(lines, item_id.data, item_id.len);
  eva_buf_add_char(lines, '\n');
  for (int field = 0; field < EVA_ITEM_FIELD_COUNT; field++) {
    eva_text text = item->fields[field];
    if (!text.data) continue;
    eva_buf_add_string(lines, eva_item_field_names[field]);
    eva_buf_add_char(lines, '\n');
    eva_error cause;
    eva_code code = eva_json_canonical(text.data, text.len, EVA_JSON_IDENTITY, EVA_JSON_STRICT, lines, &cause);
    if (code) {
      return eva_error_set(error, code, NULL, "item \"%.*s\": its %s is not JSON text: %s: %s", (int)item_id.len,
                           item_id.data, eva_item_field_names[field], cause.where, cause.message);
    }
    eva_buf_add_char(lines, '\n');
  }
  unsigned char digest[EVA_SHA256_SIZE];
  eva_sha256_of(lines->data, lines->len, digest);
  eva_hex(digest, sizeof digest, out);
  return EVA_OK;
}

eva_code eva_item_insert(eva_item_writer *writer, const eva_item *item, eva_text item_id, const char *digest,
                         int64_t position, int64_t *item_key, int *inserted, eva_error *error) {
  eva_statement *insert = NULL;
  eva_code code = eva_store_prepare(writer->store, SQL_INSERT, &insert, error);
  if (code) return code;
  eva_bind_int(insert, 1, writer->next_key);
  eva_bind_string(insert, 2, writer->dataset_id);
  eva_bind_text(insert, 3, item_id);
  eva_bind_int(insert, 4, writer->version);
  eva_bind_int(insert, 5, position);
  eva_bind_int(insert, 6, item->auto_id != 0);
  eva_bind_string(insert, 7, digest);
  for (int field = 0; field < EVA_ITEM_FIELD_COUNT; field++) eva_bind_text(insert, 8 + field, item->fields[field]);
  code = eva_run(insert, error);
  if (code) return code;
  *inserted = eva_changes(writer->store->db) == 1;
  if (*inserted) *item_key = writer->next_key++;
  return EVA_OK;
}

static void bind_row(eva_statement *insert, int at, int64_t key, const eva_item *item, const char *digest,
                     int64_t position) {
  eva_bind_int(insert, at, key);
  eva_bind_text(insert, at + 1, item->item_id);
  eva_bind_int(insert, at + 2, position);
  eva_bind_int(insert, at + 3, item->auto_id != 0);
  eva_bind_string(insert, at + 4, digest);
  for (int field = 0; field < EVA_ITEM_FIELD_COUNT; field++) eva_bind_text(insert, at + 5 + field, item->fields[field]);
}

eva_code eva_items_insert(eva_item_writer *writer, const eva_item items[EVA_ITEMS_AT_ONCE],
                          const eva_item_digest_text digests[EVA_ITEMS_AT_ONCE], int64_t position, int *inserted,
                          eva_error *error) {
  enum { FIRST = 3, PARAMETERS = 5 + EVA_ITEM_FIELD_COUNT };
  eva_statement *statement = NULL;
  *inserted = 0;
  eva_code code = eva_store_prepare(writer->store, SQL_INSERT_MANY, &statement, error);
  if (code) return code;
  eva_bind_string(statement, 1, writer->dataset_id);
  eva_bind_int(statement, 2, writer->version);
  for (int index = 0; index < EVA_ITEMS_AT_ONCE; index++) {
    bind_row(statement, FIRST + index * PARAMETERS, writer->next_key + index, &items[index], digests[index].hex,
             position + index * EVA_POSITION_GAP);
  }
  code = eva_run(statement, error);
  if (code) return code;
  *inserted = eva_changes(writer->store->db) == EVA_ITEMS_AT_ONCE;
  if (*inserted) {
    writer->next_key += EVA_ITEMS_AT_ONCE;
    return EVA_OK;
  }
  code = eva_store_prepare(writer->store, SQL_REMOVE_FROM, &statement, error);
  if (code) return code;
  eva_bind_int(statement, 1, writer->next_key);
  return eva_run(statement, error);
}

eva_code eva_item_close(eva_item_writer *writer, int64_t item_key, int64_t valid_from, eva_error *error) {
  eva_statement *update = NULL;
  eva_code code = eva_store_prepare(writer->store, SQL_CLOSE, &update, error);
  if (code) return code;
  eva_bind_int(update, 1, item_key);
  eva_bind_int(update, 2, writer->version);
  eva_bind_int(update, 3, eva_span_node(valid_from, writer->version - 1));
  return eva_run(update, error);
}

eva_code eva_item_move(eva_item_writer *writer, int64_t item_key, int64_t valid_from, int64_t position,
                       eva_error *error) {
  eva_statement *copy = NULL;
  eva_code code = eva_item_close(writer, item_key, valid_from, error);
  if (!code) code = eva_store_prepare(writer->store, SQL_COPY, &copy, error);
  if (code) return code;
  eva_bind_int(copy, 1, item_key);
  eva_bind_int(copy, 2, writer->next_key++);
  eva_bind_int(copy, 3, writer->version);
  eva_bind_int(copy, 4, position);
  return eva_run(copy, error);
}

eva_code eva_item_set_position(eva_item_writer *writer, int64_t item_key, int64_t position, eva_error *error) {
  eva_statement *update = NULL;
  eva_code code = eva_store_prepare(writer->store, SQL_SET_POSITION, &update, error);
  if (code) return code;
  eva_bind_int(update, 1, item_key);
  eva_bind_int(update, 2, position);
  return eva_run(update, error);
}

eva_code eva_item_find_open(eva_store *store, const char *dataset_id, eva_text item_id, eva_statement **statement,
                            int *found, eva_item_row *row, eva_error *error) {
  *found = 0;
  eva_code code = eva_store_prepare(store, SQL_NEWEST, statement, error);
  if (code) return code;
  eva_bind_string(*statement, 1, dataset_id);
  eva_bind_text(*statement, 2, item_id);
  code = eva_step_one(*statement, error);
  if (code == EVA_E_NOT_FOUND) return EVA_OK;
  if (code) return code;
  eva_item_row_read(*statement, row);
  *found = row->valid_to == 0;
  if (!*found) eva_reset(*statement);
  return EVA_OK;
}

eva_code eva_item_last_position(eva_item_writer *writer, int64_t *position, eva_error *error) {
  eva_statement *select = NULL;
  eva_code code = eva_store_prepare(writer->store, SQL_LAST_POSITION, &select, error);
  if (code) return code;
  eva_bind_string(select, 1, writer->dataset_id);
  *position = 0;
  code = single_int(select, position, error);
  return code == EVA_E_NOT_FOUND ? EVA_OK : code;
}

eva_code eva_version_add(eva_item_writer *writer, const eva_change *change, const char *digest, eva_text message,
                         eva_error *error) {
  char now[EVA_TIME_TEXT_SIZE];
  eva_text time = eva_store_time(writer->store, eva_clock_wall_ms(), now);
  eva_statement *insert = NULL, *update = NULL;
  eva_code code = eva_store_prepare(writer->store, SQL_VERSION_ADD, &insert, error);
  if (code) return code;
  eva_bind_string(insert, 1, writer->dataset_id);
  eva_bind_int(insert, 2, writer->version);
  eva_bind_string(insert, 3, digest);
  eva_bind_int(insert, 4, change->item_count);
  eva_bind_int(insert, 5, change->added);
  eva_bind_int(insert, 6, change->updated);
  eva_bind_int(insert, 7, change->removed);
  eva_bind_text(insert, 8, message);
  eva_bind_text(insert, 9, time);
  code = eva_run(insert, error);
  if (!code) code = eva_store_prepare(writer->store, SQL_SET_VERSION, &update, error);
  if (code) return code;
  eva_bind_string(update, 1, writer->dataset_id);
  eva_bind_int(update, 2, writer->version);
  eva_bind_text(update, 3, time);
  return eva_run(update, error);
}

eva_code eva_version_count_before(eva_item_writer *writer, int64_t *count, eva_error *error) {
  return eva_item_count(writer->store, writer->dataset_id, writer->version - 1, count, error);
}

void eva_item_number_id(eva_buf *out, eva_text base, int64_t k) {
  eva_buf_add(out, base.data, base.len);
  if (k > 1) eva_buf_printf(out, "~%lld", (long long)k);
}
