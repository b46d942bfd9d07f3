/* The encodings that have a name: Python's, with its aliases, and the names of iconv(3) where they are others. */
#include <stdbool.h>
#include <string.h>
#include <weir/text.h>

#include "text/codec.h"

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define UTF16_HERE weir__utf16le_codec
#define UTF32_HERE weir__utf32le_codec
enum { HERE, THERE };
#else
#define UTF16_HERE weir__utf16be_codec
#define UTF32_HERE weir__utf32be_codec
enum { THERE, HERE };
#endif

enum { LONGEST_NAME = 40 }; /* of the table's, with its NUL */

static const struct weir__mark utf8_marks[2] = {
    {{0xef, 0xbb, 0xbf}, 3, &weir__utf8_codec},
    {{0xef, 0xbb, 0xbf}, 3, &weir__utf8_codec},
};
static const struct weir__mark utf16_marks[2] = {
    [HERE] = {{0xff, 0xfe}, 2, &weir__utf16le_codec},
    [THERE] = {{0xfe, 0xff}, 2, &weir__utf16be_codec},
};
static const struct weir__mark utf32_marks[2] = {
    [HERE] = {{0xff, 0xfe, 0, 0}, 4, &weir__utf32le_codec},
    [THERE] = {{0, 0, 0xfe, 0xff}, 4, &weir__utf32be_codec},
};

/* The usual ones first. */
static const struct weir__encoding encodings[] = {
    {"utf-8", "cp65001 u8 utf utf8 utf8_ucs2 utf8_ucs4", &weir__utf8_codec},
    {"ascii",
     "646 ansi_x3.4_1968 ansi_x3.4_1986 ansi_x3_4_1968 cp367 csascii ibm367 iso646_us iso_646.irv_1991 iso_ir_6 us "
     "us_ascii",
     &weir__ascii_codec},
    {"iso8859-1", "latin_1 8859 cp819 csisolatin1 ibm819 iso8859 iso_8859_1 iso_8859_1_1987 iso_ir_100 l1 latin latin1",
     &weir__latin1_codec},
    {"utf-8-sig", "", &weir__utf8_codec, .marks = utf8_marks},
    {"utf-16", "u16 utf16", &UTF16_HERE, .marks = utf16_marks},
    {"utf-16-le", "unicodelittleunmarked utf_16le", &weir__utf16le_codec},
    {"utf-16-be", "unicodebigunmarked utf_16be", &weir__utf16be_codec},
    {"utf-32", "u32 utf32", &UTF32_HERE, .marks = utf32_marks},
    {"utf-32-le", "utf_32le", &weir__utf32le_codec},
    {"utf-32-be", "utf_32be", &weir__utf32be_codec},
    {"big5", "big5_tw csbig5 x_mac_trad_chinese"},
    {"big5hkscs", "big5_hkscs hkscs"},
    {"cp037", "037 csibm037 ebcdic_cp_ca ebcdic_cp_nl ebcdic_cp_us ebcdic_cp_wt ibm037 ibm039"},
    {"cp273", "273 csibm273 ibm273"},
    {"cp424", "424 csibm424 ebcdic_cp_he ibm424"},
    {"cp437", "437 cspc8codepage437 ibm437"},
    {"cp500", "500 csibm500 ebcdic_cp_be ebcdic_cp_ch ibm500"},
    {"cp737", ""},
    {"cp775", "775 cspc775baltic ibm775"},
    {"cp850", "850 cspc850multilingual ibm850"},
    {"cp852", "852 cspcp852 ibm852"},
    {"cp855", "855 csibm855 ibm855"},
    {"cp856", ""},
    {"cp857", "857 csibm857 ibm857"},
    {"cp858", "858 csibm858 ibm858"},
    {"cp860", "860 csibm860 ibm860"},
    {"cp861", "861 cp_is csibm861 ibm861"},
    {"cp862", "862 cspc862latinhebrew ibm862"},
    {"cp863", "863 csibm863 ibm863"},
    {"cp864", "864 csibm864 ibm864"},
    {"cp865", "865 csibm865 ibm865"},
    {"cp866", "866 csibm866 ibm866"},
    {"cp869", "869 cp_gr csibm869 ibm869"},
    {"cp874", ""},
    {"cp875", ""},
    {"cp932", "932 ms932 ms_kanji mskanji"},
    {"cp949", "949 ms949 uhc"},
    {"cp950", "950 ms950"},
    {"cp1026", "1026 csibm1026 ibm1026"},
    {"cp1125", "1125 cp866u ibm1125 ruscii"},
    {"cp1140", "1140 ibm1140"},
    {"cp1250", "1250 windows_1250"},
    {"cp1251", "1251 windows_1251"},
    {"cp1252", "1252 windows_1252"},
    {"cp1253", "1253 windows_1253"},
    {"cp1254", "1254 windows_1254"},
    {"cp1255", "1255 windows_1255"},
    {"cp1256", "1256 windows_1256"},
    {"cp1257", "1257 windows_1257"},
    {"cp1258", "1258 windows_1258"},
    {"euc_jisx0213", "eucjisx0213", .iconv = "EUC-JISX0213"},
    {"euc_jp", "eucjp u_jis ujis", .iconv = "EUC-JP"},
    {"euc_kr", "euckr korean ks_c_5601 ks_c_5601_1987 ks_x_1001 ksc5601 ksx1001 x_mac_korean", .iconv = "EUC-KR"},
    {"gb2312", "chinese csiso58gb231280 euc_cn euccn eucgb2312_cn gb2312_1980 gb2312_80 iso_ir_58 x_mac_simp_chinese"},
    {"gb18030", "gb18030_2000"},
    {"gbk", "936 cp936 ms936"},
    {"hp-roman8", "cp1051 cshproman8 ibm1051 r8 roman8"},
    {"iso2022_jp", "csiso2022jp iso2022jp iso_2022_jp", .iconv = "ISO-2022-JP"},
    {"iso2022_jp_2", "iso2022jp_2 iso_2022_jp_2", .iconv = "ISO-2022-JP-2"},
    {"iso2022_jp_3", "iso2022jp_3 iso_2022_jp_3", .iconv = "ISO-2022-JP-3"},
    {"iso2022_kr", "csiso2022kr iso2022kr iso_2022_kr", .iconv = "ISO-2022-KR"},
    {"iso8859-2", "csisolatin2 iso_8859_2 iso_8859_2_1987 iso_ir_101 l2 latin2"},
    {"iso8859-3", "csisolatin3 iso_8859_3 iso_8859_3_1988 iso_ir_109 l3 latin3"},
    {"iso8859-4", "csisolatin4 iso_8859_4 iso_8859_4_1988 iso_ir_110 l4 latin4"},
    {"iso8859-5", "csisolatincyrillic cyrillic iso_8859_5 iso_8859_5_1988 iso_ir_144"},
    {"iso8859-6", "arabic asmo_708 csisolatinarabic ecma_114 iso_8859_6 iso_8859_6_1987 iso_ir_127"},
    {"iso8859-7", "csisolatingreek ecma_118 elot_928 greek greek8 iso_8859_7 iso_8859_7_1987 iso_ir_126"},
    {"iso8859-8", "csisolatinhebrew hebrew iso_8859_8 iso_8859_8_1988 iso_ir_138"},
    {"iso8859-9", "csisolatin5 iso_8859_9 iso_8859_9_1989 iso_ir_148 l5 latin5"},
    {"iso8859-10", "csisolatin6 iso_8859_10 iso_8859_10_1992 iso_ir_157 l6 latin6"},
    {"iso8859-11", "iso_8859_11 iso_8859_11_2001 thai"},
    {"iso8859-13", "iso_8859_13 l7 latin7"},
    {"iso8859-14", "iso_8859_14 iso_8859_14_1998 iso_celtic iso_ir_199 l8 latin8"},
    {"iso8859-15", "iso_8859_15 l9 latin9"},
    {"iso8859-16", "iso_8859_16 iso_8859_16_2001 iso_ir_226 l10 latin10"},
    {"johab", "cp1361 ms1361"},
    {"koi8-r", "cskoi8r"},
    {"koi8-t", ""},
    {"koi8-u", ""},
    {"kz1048", "kz_1048 rk1048 strk1048_2002", .iconv = "RK1048"},
    {"mac-cyrillic", "maccyrillic"},
    {"mac-latin2", "mac_centeuro maccentraleurope maclatin2", .iconv = "MAC-CENTRALEUROPE"},
    {"mac-roman", "macintosh macroman", .iconv = "MACINTOSH"},
    {"ptcp154", "cp154 csptcp154 cyrillic_asian pt154", .iconv = "PT154"},
    {"shift_jis", "csshiftjis s_jis shiftjis sjis x_mac_japanese"},
    {"shift_jisx0213", "s_jisx0213 shiftjisx0213 sjisx0213", .iconv = "SHIFT_JISX0213"},
    {"tis-620", "iso_ir_166 tis620 tis_620_0 tis_620_2529_0 tis_620_2529_1"},
    {"utf-7", "u7 unicode_1_1_utf_7 utf7", .iconv = "UTF-7"},
};

static bool is_word(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '.';
}

/* As Python compares them: in lower case, whatever else stands between words as one _. False: too long for any. */
static bool normalize(const char *name, char *to)
{
    size_t length = 0;
    bool apart = false;
    for (; *name; name++) {
        char byte = *name >= 'A' && *name <= 'Z' ? (char)(*name - 'A' + 'a') : *name;
        if (!is_word(byte)) {
            apart = true;
            continue;
        }
        if (length + 2 >= LONGEST_NAME)
            return false;
        if (apart && length > 0)
            to[length++] = '_';
        to[length++] = byte;
        apart = false;
    }
    to[length] = '\0';
    return length > 0;
}

/* Whether the table's own name is this one. */
static bool is_name(const char *own, const char *name)
{
    for (; *own && *name; own++, name++)
        if ((*own == '-' ? '_' : *own) != *name)
            return false;
    return !*own && !*name;
}

static bool is_among(const char *aliases, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = aliases; (at = strstr(at, name)) != NULL; at += length)
        if ((at == aliases || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

static const struct weir__encoding *find(const char *name)
{
    for (size_t i = 0; i < sizeof encodings / sizeof *encodings; i++)
        if (is_name(encodings[i].name, name) || is_among(encodings[i].aliases, name))
            return &encodings[i];
    return NULL;
}

const struct weir__encoding *weir__encoding_find(const char *name)
{
    char normal[LONGEST_NAME];
    if (!name)
        return &encodings[0];
    if (!normalize(name, normal))
        return NULL;
    const struct weir__encoding *found = find(normal);
    if (found)
        return found;
    for (char *dot = normal; (dot = strchr(dot, '.')) != NULL;)
        *dot = '_';
    return find(normal);
}

const char *weir_encoding_name(const char *encoding)
{
    const struct weir__encoding *found = weir__encoding_find(encoding);
    return found ? found->name : NULL;
}
