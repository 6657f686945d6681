/* Dataset records, their versions and aliases. */
#include "store/datasets.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/store_private.h"

#define RECORD                                                                                                       \
  "SELECT d.id, d.version, d.created_at, d.updated_at, d.name, d.description, d.metadata, d.tags, d.input_schema, " \
  "d.ground_truth_schema, d.target, d.scorers, d.owner, COALESCE(v.item_count, 0), v.digest FROM datasets d "       \
  "LEFT JOIN dataset_versions v ON v.dataset_id = d.id AND v.version = d.version WHERE d.deleted_at IS NULL "
#define VERSION_RECORD                                                                                  \
  "SELECT version, digest, item_count, added, updated, removed, message, created_at FROM dataset_versions " \
  "WHERE dataset_id = ?1 "

static const char SQL_NAME_TAKEN[] = "SELECT id FROM datasets WHERE name = ?1 AND deleted_at IS NULL";
static const char SQL_ID_TAKEN[] = "SELECT id FROM datasets WHERE id = ?1";
static const char SQL_CREATE[] =
    "INSERT INTO datasets (id, version, created_at, updated_at, name, description, metadata, tags, input_schema, "
    "ground_truth_schema, target, scorers, owner) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
static const char SQL_UPDATE[] =
    "UPDATE datasets SET updated_at = ?2, name = CASE WHEN ?3 = 1 THEN ?4 ELSE name END, "
    "description = CASE WHEN ?5 = 1 THEN ?6 ELSE description END, "
    "metadata = CASE WHEN ?7 = 1 THEN ?8 ELSE metadata END, tags = CASE WHEN ?9 = 1 THEN ?10 ELSE tags END, "
    "input_schema = CASE WHEN ?11 = 1 THEN ?12 ELSE input_schema END, "
    "ground_truth_schema = CASE WHEN ?13 = 1 THEN ?14 ELSE ground_truth_schema END, "
    "target = CASE WHEN ?15 = 1 THEN ?16 ELSE target END, scorers = CASE WHEN ?17 = 1 THEN ?18 ELSE scorers END, "
    "owner = CASE WHEN ?19 = 1 THEN ?20 ELSE owner END WHERE id = ?1 AND deleted_at IS NULL";
static const char SQL_DELETE[] = "UPDATE datasets SET deleted_at = ?2 WHERE id = ?1 AND deleted_at IS NULL";
static const char SQL_DELETE_UNUSED[] = "DELETE FROM datasets WHERE id = ?1 AND version = 0 AND deleted_at IS NULL";
static const char SQL_BY_NAME[] = RECORD "AND d.name = ?1";
static const char SQL_BY_ID[] = RECORD "AND d.id = ?1";
static const char SQL_LIST[] = RECORD "ORDER BY d.name";
static const char SQL_VERSIONS[] = VERSION_RECORD "ORDER BY version";
static const char SQL_VERSION[] = VERSION_RECORD "AND version = ?2";
static const char SQL_ALIAS_SET[] =
    "INSERT INTO dataset_aliases (dataset_id, name, version, updated_at) VALUES (?1, ?2, ?3, ?4) "
    "ON CONFLICT (dataset_id, name) DO UPDATE SET version = excluded.version, updated_at = excluded.updated_at";
static const char SQL_ALIAS_REMOVE[] = "DELETE FROM dataset_aliases WHERE dataset_id = ?1 AND name = ?2";
static const char SQL_ALIAS_GET[] = "SELECT version FROM dataset_aliases WHERE dataset_id = ?1 AND name = ?2";
static const char SQL_ALIASES[] =
    "SELECT name, version, updated_at FROM dataset_aliases WHERE dataset_id = ?1 ORDER BY name";

const eva_column eva_dataset_columns[EVA_DATASET_COLUMN_COUNT] = {
    [EVA_DATASET_ID] = {"id", 't'},
    [EVA_DATASET_VERSION] = {"version", 'i'},
    [EVA_DATASET_CREATED_AT] = {"created_at", 't'},
    [EVA_DATASET_UPDATED_AT] = {"updated_at", 't'},
    [EVA_DATASET_NAME] = {"name", 't'},
    [EVA_DATASET_DESCRIPTION] = {"description", 't'},
    [EVA_DATASET_METADATA] = {"metadata", 't'},
    [EVA_DATASET_TAGS] = {"tags", 't'},
    [EVA_DATASET_INPUT_SCHEMA] = {"input_schema", 't'},
    [EVA_DATASET_GROUND_TRUTH_SCHEMA] = {"ground_truth_schema", 't'},
    [EVA_DATASET_TARGET] = {"target", 't'},
    [EVA_DATASET_SCORERS] = {"scorers", 't'},
    [EVA_DATASET_OWNER] = {"owner", 't'},
    [EVA_DATASET_ITEM_COUNT] = {"item_count", 'i'},
    [EVA_DATASET_DIGEST] = {"digest", 't'},
};
const eva_column eva_version_columns[EVA_VERSION_COLUMN_COUNT] = {
    {"version", 'i'}, {"digest", 't'},  {"item_count", 'i'}, {"added", 'i'},
    {"updated", 'i'}, {"removed", 'i'}, {"message", 't'},    {"created_at", 't'},
};
const eva_column eva_alias_columns[EVA_ALIAS_COLUMN_COUNT] = {{"name", 't'}, {"version", 'i'}, {"updated_at", 't'}};

/* EVA_E_EXISTS when the query with one text parameter finds a row whose id is not `but`. */
static eva_code check_free(eva_store *store, const char *sql, eva_text value, const char *what, const char *but,
                           eva_error *error) {
  eva_statement *select = NULL;
  eva_code code = eva_store_prepare(store, sql, &select, error);
  if (code) return code;
  eva_bind_text(select, 1, value);
  code = eva_step_one(select, error);
  if (code == EVA_E_NOT_FOUND) return EVA_OK;
  if (code) return code;
  int same = but && eva_text_equal(eva_column_text(select, 0), eva_text_of(but));
  eva_reset(select);
  if (same) return EVA_OK;
  return eva_error_set(error, EVA_E_EXISTS, NULL, "there is a dataset with the %s \"%.*s\" already", what,
                       (int)value.len, value.data);
}

static eva_code insert_dataset(eva_store *store, const eva_value values[EVA_DATASET_COLUMN_COUNT], eva_error *error) {
  eva_statement *insert = NULL;
  eva_code code = check_free(store, SQL_NAME_TAKEN, values[EVA_DATASET_NAME].text, "name", NULL, error);
  if (!code) code = check_free(store, SQL_ID_TAKEN, values[EVA_DATASET_ID].text, "id", NULL, error);
  if (!code) code = eva_store_prepare(store, SQL_CREATE, &insert, error);
  if (code) return code;
  for (int column = 0; column <= EVA_DATASET_OWNER; column++) eva_bind_value(insert, column + 1, &values[column]);
  return eva_run(insert, error);
}

static eva_code check_name(const eva_value *name, eva_error *error) {
  if (name->type == 't' && name->text.len > 0) return EVA_OK;
  return eva_error_set(error, EVA_E_ARGUMENT, NULL, "a dataset needs a name that is not empty");
}

eva_code eva_dataset_create(eva_store *store, const eva_value given[EVA_DATASET_COLUMN_COUNT],
                            char id[EVA_UUID_TEXT_SIZE], eva_error *error) {
  eva_value values[EVA_DATASET_COLUMN_COUNT];
  memcpy(values, given, sizeof values);
  eva_code code = check_name(&values[EVA_DATASET_NAME], error);
  if (code) return code;
  eva_value *own_id = &values[EVA_DATASET_ID];
  if (own_id->type == 't') {
    if (own_id->text.len == 0 || own_id->text.len >= EVA_UUID_TEXT_SIZE) {
      return eva_error_set(error, EVA_E_ARGUMENT, NULL, "a dataset's id has 1 to %d bytes", EVA_UUID_TEXT_SIZE - 1);
    }
    memcpy(id, own_id->text.data, own_id->text.len);
    id[own_id->text.len] = '\0';
  } else {
    eva_uuid7(id);
    *own_id = (eva_value){.type = 't', .text = eva_text_of(id)};
  }
  char now[EVA_TIME_TEXT_SIZE];
  eva_value time = {.type = 't', .text = eva_store_time(store, eva_clock_wall_ms(), now)};
  values[EVA_DATASET_CREATED_AT] = values[EVA_DATASET_UPDATED_AT] = time;
  values[EVA_DATASET_VERSION] = (eva_value){.type = 'i', .integer = 0};
  int own = 0;
  code = eva_store_enter(store, &own, error);
  if (code) return code;
  code = insert_dataset(store, values, error);
  return eva_store_leave(store, own, code, error);
}

static eva_code no_dataset(const char *id, eva_error *error) {
  return eva_error_set(error, EVA_E_NOT_FOUND, NULL, "there is no dataset with the id %s", id);
}

static eva_code update_dataset(eva_store *store, const char *id, const eva_value values[EVA_DATASET_COLUMN_COUNT],
                               eva_error *error) {
  eva_code code = EVA_OK;
  const eva_value *name = &values[EVA_DATASET_NAME];
  if (name->type) code = check_name(name, error);
  if (!code && name->type) code = check_free(store, SQL_NAME_TAKEN, name->text, "name", id, error);
  eva_statement *update = NULL;
  if (!code) code = eva_store_prepare(store, SQL_UPDATE, &update, error);
  if (code) return code;
  char now[EVA_TIME_TEXT_SIZE];
  eva_bind_string(update, 1, id);
  eva_bind_text(update, 2, eva_store_time(store, eva_clock_wall_ms(), now));
  for (int column = EVA_DATASET_NAME; column <= EVA_DATASET_OWNER; column++) {
    int position = 3 + 2 * (column - EVA_DATASET_NAME);
    eva_bind_int(update, position, values[column].type != 0);
    eva_bind_value(update, position + 1, &values[column]);
  }
  code = eva_run(update, error);
  return code || eva_changes(store->db) == 1 ? code : no_dataset(id, error);
}

eva_code eva_dataset_update(eva_store *store, const char *id, const eva_value values[EVA_DATASET_COLUMN_COUNT],
                            eva_error *error) {
  int own = 0;
  eva_code code = eva_store_enter(store, &own, error);
  if (code) return code;
  code = update_dataset(store, id, values, error);
  return eva_store_leave(store, own, code, error);
}

static eva_code delete_dataset(eva_store *store, const char *id, eva_error *error) {
  eva_statement *write = NULL;
  char now[EVA_TIME_TEXT_SIZE];
  eva_code code = eva_store_prepare(store, SQL_DELETE_UNUSED, &write, error);
  if (code) return code;
  eva_bind_string(write, 1, id);
  code = eva_run(write, error);
  if (code || eva_changes(store->db) == 1) return code; /* it never had an item: nothing refers to it */
  code = eva_store_prepare(store, SQL_DELETE, &write, error);
  if (code) return code;
  eva_bind_string(write, 1, id);
  eva_bind_text(write, 2, eva_store_time(store, eva_clock_wall_ms(), now));
  code = eva_run(write, error);
  return code || eva_changes(store->db) == 1 ? code : no_dataset(id, error);
}

eva_code eva_dataset_delete(eva_store *store, const char *id, eva_error *error) {
  int own = 0;
  eva_code code = eva_store_enter(store, &own, error);
  if (code) return code;
  code = delete_dataset(store, id, error);
  return eva_store_leave(store, own, code, error);
}

eva_code eva_dataset_select_name(eva_store *store, eva_text name, eva_statement **rows, eva_error *error) {
  eva_code code = eva_store_prepare(store, SQL_BY_NAME, rows, error);
  if (!code) eva_bind_text(*rows, 1, name);
  return code;
}

eva_code eva_dataset_select_id(eva_store *store, eva_text id, eva_statement **rows, eva_error *error) {
  eva_code code = eva_store_prepare(store, SQL_BY_ID, rows, error);
  if (!code) eva_bind_text(*rows, 1, id);
  return code;
}

eva_code eva_dataset_list(eva_store *store, eva_statement **rows, eva_error *error) {
  return eva_store_prepare(store, SQL_LIST, rows, error);
}

/* Versions and aliases */

eva_code eva_version_list(eva_store *store, const char *dataset_id, eva_statement **rows, eva_error *error) {
  eva_code code = eva_store_prepare(store, SQL_VERSIONS, rows, error);
  if (!code) eva_bind_string(*rows, 1, dataset_id);
  return code;
}

eva_code eva_version_select(eva_store *store, const char *dataset_id, int64_t version, eva_statement **rows,
                            eva_error *error) {
  eva_code code = eva_store_prepare(store, SQL_VERSION, rows, error);
  if (code) return code;
  eva_bind_string(*rows, 1, dataset_id);
  eva_bind_int(*rows, 2, version);
  return EVA_OK;
}

/* A version number in decimal; 0 when the text is none (or would not fit). */
static int parse_version(eva_text text, int64_t *version) {
  if (text.len == 0 || text.len > 18) return 0;
  *version = 0;
  for (size_t at = 0; at < text.len; at++) {
    if (text.data[at] < '0' || text.data[at] > '9') return 0;
    *version = *version * 10 + (text.data[at] - '0');
  }
  return 1;
}

/* Appends the names of the aliases, for messages: `; its aliases are "stable", "small"`. */
static void describe_aliases(eva_store *store, const char *dataset_id, eva_buf *out) {
  eva_statement *rows = NULL;
  eva_error ignored;
  if (eva_alias_list(store, dataset_id, &rows, &ignored) != EVA_OK) return;
  size_t start = out->len;
  for (int row = 1; eva_step(rows, &row, &ignored) == EVA_OK && row;) {
    eva_text name = eva_column_text(rows, 0);
    eva_buf_printf(out, "%s\"%.*s\"", out->len == start ? "; its aliases are " : ", ", (int)name.len, name.data);
  }
  if (out->len == start) eva_buf_add_string(out, "; it has no aliases");
}

eva_code eva_version_resolve(eva_store *store, const char *dataset_id, eva_text reference, int64_t *version,
                             eva_error *error) {
  int64_t latest = 0;
  eva_code code = eva_dataset_latest(store, dataset_id, &latest, NULL, error);
  if (code) return code;
  if (eva_text_equal(reference, EVA_TEXT_LITERAL("latest"))) {
    *version = latest;
    return EVA_OK;
  }
  if (parse_version(reference, version)) return eva_version_check(store, dataset_id, *version, &latest, error);
  eva_statement *select = NULL;
  code = eva_store_prepare(store, SQL_ALIAS_GET, &select, error);
  if (code) return code;
  eva_bind_string(select, 1, dataset_id);
  eva_bind_text(select, 2, reference);
  code = eva_step_one(select, error);
  if (!code) {
    *version = eva_column_int(select, 0);
    eva_reset(select);
  }
  if (code != EVA_E_NOT_FOUND) return code;
  eva_buf aliases = {0}, name = {0};
  describe_aliases(store, dataset_id, &aliases);
  code = eva_dataset_latest(store, dataset_id, &latest, &name, error);
  if (!code) {
    code = eva_error_set(error, EVA_E_NOT_FOUND, NULL, "dataset \"%s\" has no version or alias \"%.*s\"%s", name.data,
                         (int)reference.len, reference.data ? reference.data : "", aliases.data);
  }
  eva_buf_free(&aliases);
  eva_buf_free(&name);
  return code;
}

static eva_code check_alias(eva_text name, eva_error *error) {
  int64_t number = 0;
  int bad = !name.data || name.len == 0 || eva_text_equal(name, EVA_TEXT_LITERAL("latest")) ||
            parse_version(name, &number);
  for (size_t at = 0; !bad && at < name.len; at++) {
    unsigned char c = (unsigned char)name.data[at];
    bad = c <= ' ' || c == '@' || c == 0x7f;
  }
  if (!bad) return EVA_OK;
  return eva_error_set(error, EVA_E_ARGUMENT, NULL,
                       "\"%.*s\" cannot be an alias; use a word that is not a number, not \"latest\" and has no space "
                       "or @",
                       (int)name.len, name.data ? name.data : "");
}

eva_code eva_alias_set(eva_store *store, const char *dataset_id, eva_text name, int64_t version, eva_error *error) {
  int own = 0;
  int64_t latest = 0;
  eva_statement *write = NULL;
  char now[EVA_TIME_TEXT_SIZE];
  eva_code code = check_alias(name, error);
  if (!code) code = eva_version_check(store, dataset_id, version < 0 ? 0 : version, &latest, error);
  if (!code) code = eva_store_enter(store, &own, error);
  if (code) return code;
  code = eva_store_prepare(store, version < 0 ? SQL_ALIAS_REMOVE : SQL_ALIAS_SET, &write, error);
  if (!code) {
    eva_bind_string(write, 1, dataset_id);
    eva_bind_text(write, 2, name);
    if (version >= 0) {
      eva_bind_int(write, 3, version);
      eva_bind_text(write, 4, eva_store_time(store, eva_clock_wall_ms(), now));
    }
    code = eva_run(write, error);
  }
  return eva_store_leave(store, own, code, error);
}

eva_code eva_alias_list(eva_store *store, const char *dataset_id, eva_statement **rows, eva_error *error) {
  eva_code code = eva_store_prepare(store, SQL_ALIASES, rows, error);
  if (!code) eva_bind_string(*rows, 1, dataset_id);
  return code;
}
